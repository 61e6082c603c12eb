package record

// Kind says why a request was not sent or failed. Its text is the key in the
// JSON form.
type Kind int

// The kinds. NoConnection and Interrupted only keep a request from being sent.
const (
	Refused           Kind = iota // the server's machine refused the connection
	Reset                         // the connection was reset or broken
	EOF                           // the connection was closed before the answer was complete
	DialTimeout                   // no connection within the timeout
	BadResponse                   // not a legal HTTP/1.x response
	TooLarge                      // a response header or body beyond the limits
	Unreachable                   // no route, or the name does not resolve
	TLSFailure                    // no agreement on TLS, or its rules were broken
	NoLocalPort                   // our machine ran out of local ports
	NoFileDescriptors             // our process ran out of file descriptors
	NoConnection                  // all allowed connections were busy until the end
	Interrupted                   // the run was interrupted first
	Other
	kinds // how many there are
)

// String returns the kind's name.
func (k Kind) String() string {
	switch k {
	case Refused:
		return "refused"
	case Reset:
		return "reset"
	case EOF:
		return "eof"
	case DialTimeout:
		return "dial_timeout"
	case BadResponse:
		return "bad_response"
	case TooLarge:
		return "too_large"
	case Unreachable:
		return "unreachable"
	case TLSFailure:
		return "tls"
	case NoLocalPort:
		return "no_local_port"
	case NoFileDescriptors:
		return "no_file_descriptors"
	case NoConnection:
		return "no_connection"
	case Interrupted:
		return "interrupted"
	default:
		return "other"
	}
}
