package sio

// Error says why bytes are not a packet, or not one within the limits. There is a fixed set of
// them, so that a Reason can label a metric. Where the reference implementation has words for a
// fault, Reason uses them. It is never changed.
type Error struct{ Reason string }

func (e *Error) Error() string { return e.Reason }

// Faults that are answered in their own way. After any other the connection is closed as forced.
var (
	// ErrAuthTooLarge means that the auth object of a Connect is over Limits.Auth or
	// Limits.Depth. The Packet has its Type and Namespace, so that it can be refused for good: a
	// client whose connection is closed would only send the same again.
	ErrAuthTooLarge = &Error{"auth payload too large"}

	// ErrAttachmentsTooLarge means that the attachments of a packet are over
	// Limits.AttachmentBytes.
	ErrAttachmentsTooLarge = &Error{"attachments too large"}
)

var (
	errCount        = &Error{"Illegal attachments"} // in the header
	errPlaceholders = &Error{"illegal attachments"} // in the payload
	errTooMany      = &Error{"too many attachments"}
	errPayload      = &Error{"invalid payload"}
	errText         = &Error{"got plaintext data when reconstructing a packet"}
	errBinary       = &Error{"got binary data when not reconstructing a packet"}

	errConnectError = &Error{"connect error from a client"}
	errNamespace    = &Error{"namespace too long"}
	errID           = &Error{"ack id out of range"}
	errName         = &Error{"event name too long"}
	errArgs         = &Error{"too many arguments"}
	errDepth        = &Error{"nested too deeply"}
	errDuplicate    = &Error{"duplicate key"}

	// Of the Check functions; a packet with such a fault has an invalid payload.
	errSyntax = &Error{"invalid JSON"}
	errUTF8   = &Error{"invalid UTF-8"}
	errArray  = &Error{"not a JSON array"}
	errObject = &Error{"not a JSON object"}
)

// unknownType says what the reference says about a packet that begins with c. It reads the
// character as a number; what is none is not told apart.
func unknownType(c byte) *Error {
	switch c {
	case '7':
		return errType7
	case '8':
		return errType8
	case '9':
		return errType9
	}
	return errTypeNaN
}

var (
	errType7   = &Error{"unknown packet type 7"}
	errType8   = &Error{"unknown packet type 8"}
	errType9   = &Error{"unknown packet type 9"}
	errTypeNaN = &Error{"unknown packet type NaN"}
	errEmpty   = &Error{"empty packet"}
)
