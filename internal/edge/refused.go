package edge

// Refusals lists every layer and its reasons that Config.Refused can be told: what an operator
// can count.
func Refusals() map[string][]string {
	http := []string{tooManyClients, noMemory}
	for _, f := range []*fault{faultRequestLine, faultMethod, faultTarget, faultLongTarget, faultVersion, faultLineEnd,
		faultFold, faultField, faultFields, faultHeadSize, faultHost, faultLength, faultCoding, faultFraming,
		faultContent, faultHops, faultChunk} {
		http = append(http, f.reason)
	}
	return map[string][]string{"tcp": {tooManyConnections, noResources, tooManyArrivals, addressTooMany,
		addressTooOften, noMemory, waitedTooLong, gaveUp, proxyUnknown, proxySlow, proxyBroken},
		"tls": {handshakeSlow, handshakeNotTLS, handshakeFailed}, "http": http}
}

const (
	tooManyClients     = "too many clients"
	tooManyConnections = "too many connections"
	noResources        = "no resources to accept"
	tooManyArrivals    = "too many arrivals"
	addressTooMany     = "address: too many"
	addressTooOften    = "address: too often"
	noMemory           = "memory"
	waitedTooLong      = "waited too long"
	gaveUp             = "gave up"
	proxyUnknown       = "not a trusted proxy"
	proxySlow          = "PROXY header timeout"
	proxyBroken        = "bad PROXY header"
	handshakeSlow      = "handshake timeout"
	handshakeNotTLS    = "not TLS"
	handshakeFailed    = "handshake failed" // no version or suite in common, a broken hello, a certificate that the client refuses
)
