package sio

import (
	"bytes"
	"strconv"
)

// AppendEvent appends an event. nsp begins with a slash and has no comma in it, or is empty for
// "/"; args went through CheckArgs. An offset that is not empty becomes the last argument: that
// is where clients look for it.
func AppendEvent(dst []byte, nsp string, id uint64, hasID bool, name string, args []byte, offset string, attachments int) []byte {
	dst = appendHeader(dst, Event, nsp, attachments)
	if hasID {
		dst = strconv.AppendUint(dst, id, 10)
	}
	dst = append(dst, '[')
	dst = appendString(dst, name)
	if inner := trimArray(args); len(inner) > 0 {
		dst = append(dst, ',')
		dst = append(dst, inner...)
	}
	if offset != "" {
		dst = append(dst, ',')
		dst = appendString(dst, offset)
	}
	return append(dst, ']')
}

// AppendAck appends the answer to the event that asked for it with id; args went through
// CheckArgs.
func AppendAck(dst []byte, nsp string, id uint64, args []byte, attachments int) []byte {
	dst = appendHeader(dst, Ack, nsp, attachments)
	dst = strconv.AppendUint(dst, id, 10)
	dst = append(dst, '[')
	dst = append(dst, trimArray(args)...)
	return append(dst, ']')
}

// AppendConnect appends the answer to a Connect that was accepted. Without a pid the client does
// not try to recover.
func AppendConnect(dst []byte, nsp, sid, pid string) []byte {
	dst = appendHeader(dst, Connect, nsp, 0)
	dst = append(dst, `{"sid":`...)
	dst = appendString(dst, sid)
	if pid != "" {
		dst = append(dst, `,"pid":`...)
		dst = appendString(dst, pid)
	}
	return append(dst, '}')
}

// AppendConnectError appends the answer to a Connect that was refused. A client that receives it
// does not come back by itself. data, if it is not empty, went through CheckValue.
func AppendConnectError(dst []byte, nsp, message string, data []byte) []byte {
	dst = appendHeader(dst, ConnectError, nsp, 0)
	dst = append(dst, `{"message":`...)
	dst = appendString(dst, message)
	if len(data) > 0 {
		dst = append(dst, `,"data":`...)
		dst = append(dst, data...)
	}
	return append(dst, '}')
}

// AppendDisconnect appends the end of a client's socket in one namespace.
func AppendDisconnect(dst []byte, nsp string) []byte {
	return appendHeader(dst, Disconnect, nsp, 0)
}

// appendHeader appends everything before the ack id.
func appendHeader(dst []byte, t Type, nsp string, attachments int) []byte {
	if attachments > 0 {
		dst = append(dst, '0'+byte(t+BinaryEvent-Event))
		dst = strconv.AppendInt(dst, int64(attachments), 10)
		dst = append(dst, '-')
	} else {
		dst = append(dst, '0'+byte(t))
	}
	if nsp != "" && nsp != "/" {
		dst = append(dst, nsp...)
		dst = append(dst, ',')
	}
	return dst
}

// trimArray returns what is between the brackets of an array, without the white space at both
// ends; nothing, if it is empty or missing.
func trimArray(args []byte) []byte {
	args = bytes.Trim(args, " \t\r\n")
	if len(args) < 2 {
		return nil
	}
	return bytes.Trim(args[1:len(args)-1], " \t\r\n")
}
