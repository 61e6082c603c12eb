package api

import (
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"phase0/server/query"
)

// queryRequest is what the parameters of GET /query ask for; samples when there are no
// aggregates.
type queryRequest struct {
	query.AggregateRequest
	limit int
}

// maxMatchers bounds the conditions on labels.
const maxMatchers = 16

const knownParameters = "name, start, end, limit, min_value, max_value, match, agg, step"

// parseQuery reads the parameters of GET /query, each at most once but for match.
func parseQuery(raw string, maxSamples int) (queryRequest, *fault) {
	r := queryRequest{AggregateRequest: query.AggregateRequest{Selector: query.Selector{Start: 0, End: math.MaxInt64}}}
	seen := map[string]bool{}
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		key, value, f := unescape(pair)
		if f != nil {
			return r, f
		}
		if seen[key] && key != "match" {
			return r, badParameter(echo(key), "stands twice")
		}
		seen[key] = true
		if f := r.set(key, value, maxSamples); f != nil {
			return r, f
		}
	}
	r.FromOldest, r.ToNewest = !seen["start"], !seen["end"]
	return r, r.check(seen)
}

// check judges the parameters together.
func (r *queryRequest) check(seen map[string]bool) *fault {
	switch {
	case !seen["name"]:
		return badParameter("name", "is missing; ask /query?name=cpu_usage")
	case r.Start > r.End:
		return &fault{status: 400, code: "bad_range", msg: "start is after end"}
	case r.Min != nil && r.Max != nil && *r.Min > *r.Max:
		return &fault{status: 400, code: "bad_range", msg: "min_value is above max_value"}
	case seen["step"] && !seen["agg"]:
		return badParameter("step", "goes with agg only")
	case seen["limit"] && seen["agg"]:
		return badParameter("limit", "does not go with agg")
	}
	return nil
}

func unescape(pair string) (key, value string, f *fault) {
	rawKey, rawValue, _ := strings.Cut(pair, "=")
	key, err := url.QueryUnescape(rawKey)
	if err == nil {
		value, err = url.QueryUnescape(rawValue)
	}
	if err != nil {
		return "", "", badParameter(echo(rawKey), firstLine(err.Error()))
	}
	return key, value, nil
}

func (r *queryRequest) set(key, value string, maxSamples int) (f *fault) {
	switch key {
	case "name":
		r.Name = value
		if value == "" {
			return badParameter("name", "is empty")
		}
	case "start":
		r.Start, f = millis(key, value)
	case "end":
		r.End, f = millis(key, value)
	case "min_value":
		r.Min, f = number(key, value)
	case "max_value":
		r.Max, f = number(key, value)
	case "match":
		return r.addMatcher(value)
	case "step":
		r.Step, f = step(value)
	case "agg":
		list, err := query.ParseAggregates(value)
		if err != nil {
			return badParameter(key, firstLine(err.Error()))
		}
		r.Aggregates = list
	case "limit":
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 || n > maxSamples {
			return badParameter(key, "must be a whole number from 1 to "+strconv.Itoa(maxSamples))
		}
		r.limit = n
	default:
		return &fault{status: 400, code: "unknown_parameter", msg: "unknown parameter " + echo(key) + "; known are " + knownParameters}
	}
	return f
}

func (r *queryRequest) addMatcher(value string) *fault {
	if len(r.Labels) == maxMatchers {
		return badParameter("match", "stands more than "+strconv.Itoa(maxMatchers)+" times")
	}
	m, err := query.ParseMatcher(value)
	if err != nil {
		return badParameter("match", echo(value)+": "+firstLine(err.Error()))
	}
	r.Labels = append(r.Labels, m)
	return nil
}

// millis takes plain digits only: no sign, fraction, exponent or blank.
func millis(key, value string) (int64, *fault) {
	n, err := strconv.ParseUint(value, 10, 63)
	if err != nil {
		return 0, badParameter(key, echo(value)+" is not a time in whole Unix milliseconds")
	}
	return int64(n), nil
}

// step takes a duration as Go writes it, or plain milliseconds.
func step(value string) (int64, *fault) {
	if n, err := strconv.ParseUint(value, 10, 63); err == nil && n > 0 {
		return int64(n), nil
	}
	d, err := time.ParseDuration(value)
	if err != nil || d < time.Millisecond || d%time.Millisecond != 0 {
		return 0, badParameter("step", echo(value)+" is not a duration of whole milliseconds above 0, such as 60s or 60000")
	}
	return d.Milliseconds(), nil
}

// number takes a finite decimal number.
func number(key, value string) (*float64, *fault) {
	v, err := strconv.ParseFloat(value, 64)
	// The parser also knows inf, nan and hexadecimal, which are for programmers.
	if err != nil || strings.Trim(value, "0123456789+-.eE") != "" {
		return nil, badParameter(key, echo(value)+" is not a number")
	}
	return &v, nil
}

func echo(s string) string { return strconv.Quote(firstLine(s)) }
