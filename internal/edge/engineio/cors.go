package engineio

import (
	"net/http"
	"strconv"
	"strings"
)

// maxEchoed bounds how much of Access-Control-Request-Headers is repeated to the browser.
const maxEchoed = 1024

// addCORS adds the headers that let a page of an allowed origin read a response.
func (b *browsers) addCORS(h http.Header, r *http.Request, allowed bool) {
	if len(b.origins) == 1 && b.origins[0].any {
		h.Set("Access-Control-Allow-Origin", "*") // never with credentials, see Validate
	} else {
		h.Add("Vary", "Origin")
		origin := r.Header.Get("Origin")
		if !allowed || origin == "" {
			return
		}
		h.Set("Access-Control-Allow-Origin", origin)
	}
	if b.config.Credentials {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	if len(b.config.ExposedHeaders) > 0 && r.Method != http.MethodOptions {
		h.Set("Access-Control-Expose-Headers", strings.Join(b.config.ExposedHeaders, ","))
	}
}

// preflight answers the question a browser asks before a request of another origin.
func (b *browsers) preflight(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", "GET,HEAD,PUT,PATCH,POST,DELETE")
	if len(b.config.AllowedHeaders) > 0 {
		h.Set("Access-Control-Allow-Headers", strings.Join(b.config.AllowedHeaders, ","))
	} else if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
		h.Add("Vary", "Access-Control-Request-Headers")
		if len(asked) <= maxEchoed {
			h.Set("Access-Control-Allow-Headers", asked)
		}
	}
	if b.config.CORSMaxAge > 0 {
		h.Set("Access-Control-Max-Age", strconv.Itoa(int(b.config.CORSMaxAge.Seconds())))
	}
	h.Set("Content-Length", "0")
	w.WriteHeader(http.StatusNoContent)
}
