package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// DeliveryTimeout is what a delivery may take, from connecting to the last byte of the
// answer.
const DeliveryTimeout = 5 * time.Second

const (
	// maxAnswer bounds the body of a receiver's answer, which nobody reads.
	maxAnswer = 64 << 10
	// maxToken bounds a bearer token.
	maxToken = 8 << 10
)

// Target is where notifications are posted. Its parts may be secret: what it says of
// itself is its host.
type Target struct {
	// URL is http or https; a user and a password in it become basic authorization.
	URL string
	// Token, if any, is a bearer token.
	Token Token
}

// Token is a bearer token: the content of a file, which is read for every delivery, so
// that a token can be changed while the server runs; or a text.
type Token struct {
	File string
	Text string
}

func (t Token) read() (string, error) {
	text := t.Text
	if t.File != "" {
		file, err := os.Open(t.File)
		if err != nil {
			return "", fmt.Errorf("read token: %w", err)
		}
		defer file.Close()
		content, err := io.ReadAll(io.LimitReader(file, maxToken+1))
		if err != nil {
			return "", fmt.Errorf("read token: %w", err)
		}
		if text = strings.TrimSpace(string(content)); text == "" {
			return "", fmt.Errorf("read token: %s is empty", t.File)
		}
	}
	if len(text) > maxToken || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", errors.New("read token: not one word of printable ASCII")
	}
	return text, nil
}

// poster posts JSON to a target.
type poster struct {
	url    *url.URL
	token  Token
	client *http.Client
}

// newPoster checks a target; example is shown in its error.
func newPoster(target Target, name, example string) (*poster, error) {
	u, err := url.Parse(target.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || !isPort(u.Port()) {
		return nil, fmt.Errorf("%s must be a URL such as %s", name, example) // not err, which has the URL in it
	}
	token, err := target.Token.read()
	if err != nil {
		return nil, err
	}
	if token != "" && u.User != nil {
		return nil, fmt.Errorf("%s has both a token and a user in its URL", name)
	}
	return &poster{url: u, token: target.Token, client: &http.Client{
		Timeout: DeliveryTimeout,
		// Not the default transport: a proxy that the environment names would get the secrets.
		Transport: &http.Transport{MaxConnsPerHost: 1, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: maxAnswer},
		// A redirected POST becomes a GET, which a receiver answers and nobody gets.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// isPort accepts no port, too: the scheme has one.
func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return s == "" || err == nil && n > 0
}

// post sends a body and waits for the answer. Its errors name no part of the URL.
func (p *poster) post(ctx context.Context, key string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url.String(), bytes.NewReader(body))
	if err != nil {
		return errors.New("post notification: URL cannot be used")
	}
	token, err := p.token.read()
	if err != nil {
		return err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "phase0")
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return fmt.Errorf("post notification: %w", withoutURL(err))
	}
	// What is not read costs the connection, nothing else.
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer))
	_ = resp.Body.Close()
	return judge(resp)
}

// withoutURL takes the URL out of an error of package http.
func withoutURL(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}

// judge turns an answer into an error. Refused for good is only what is about the body:
// a wrong path, token or method is mended at the receiver or by a new start.
func judge(resp *http.Response) error {
	err := fmt.Errorf("post notification: receiver answered %d", resp.StatusCode)
	switch {
	case resp.StatusCode >= 200 && resp.StatusCode <= 299:
		return nil
	case resp.StatusCode == http.StatusBadRequest, resp.StatusCode == http.StatusRequestEntityTooLarge,
		resp.StatusCode == http.StatusUnsupportedMediaType, resp.StatusCode == http.StatusUnprocessableEntity:
		return fmt.Errorf("%w: %w", err, ErrRefused)
	}
	if after := retryAfter(resp.Header.Get("Retry-After"), time.Now()); after > 0 {
		return &RetryError{After: after, Err: err}
	}
	return err
}

// retryAfter reads seconds or a date, 0 when it is neither or over.
func retryAfter(text string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
