package sio

import "unicode/utf8"

// CheckArgs checks the arguments that a backend gives: a JSON array within the limits in which
// the placeholders refer to all attachments and to no others. Without attachments an object that
// looks like a placeholder is an object. Nothing at all means no arguments.
//
// A nil l means DefaultLimits, here and below.
func CheckArgs(args []byte, attachments int, l *Limits) error {
	l = l.orDefaults()
	if attachments > l.Attachments || attachments > maxAttachments {
		return errTooMany
	}
	s := scanner{b: args, depth: l.Depth}
	if attachments > 0 {
		s.expect(attachments)
	}
	if len(args) > 0 {
		if !utf8.Valid(args) {
			return errUTF8
		}
		start := s.space(0)
		if start == len(args) || args[start] != '[' {
			return errArray
		}
		end, err := s.array(start, l.Args)
		if err == nil {
			err = s.end(end)
		}
		if err != nil {
			return err
		}
	}
	return s.complete()
}

// CheckObject checks a JSON object. A key may be in it only once, at its top level.
func CheckObject(b []byte, l *Limits) error {
	if !utf8.Valid(b) {
		return errUTF8
	}
	s := scanner{b: b, depth: l.orDefaults().Depth}
	start := s.space(0)
	if start == len(b) || b[start] != '{' {
		return errObject
	}
	end, err := s.object(start)
	if err != nil {
		return err
	}
	return s.end(end)
}

// CheckValue checks a JSON value of any kind that will be part of a packet, such as the data of a
// connect error.
func CheckValue(b []byte, l *Limits) error {
	if !utf8.Valid(b) {
		return errUTF8
	}
	s := scanner{b: b, depth: l.orDefaults().Depth}
	end, err := s.value(0)
	if err != nil {
		return err
	}
	return s.end(end)
}
