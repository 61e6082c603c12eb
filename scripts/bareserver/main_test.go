package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestServe posts bodies of several sizes and expects each to be read and counted.
func TestServe(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, nil, in) }()
	line := make([]byte, 100)
	n, err := out.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + strings.TrimSpace(strings.TrimPrefix(string(line[:n]), "listening on ")) + "/metrics"
	client := http.Client{Timeout: 20 * time.Second}
	defer client.CloseIdleConnections()
	for _, c := range []struct {
		size, status int
	}{{0, 202}, {40, 202}, {100_000, 202}, {2 << 20, 413}} {
		answer, err := client.Post(url, "application/json", strings.NewReader(strings.Repeat("x", c.size)))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		// A body beyond the limit is refused by whichever part sees it first.
		if c.status == 413 {
			if answer.StatusCode == 202 {
				t.Errorf("%d bytes were accepted", c.size)
			}
			continue
		}
		if err != nil || answer.StatusCode != c.status || string(text) != `{"status":"accepted"}` || answer.Header.Get("Server") != "phase0" {
			t.Errorf("%d bytes: status %d, %q, server %q, error %v", c.size, answer.StatusCode, text, answer.Header.Get("Server"), err)
		}
	}
	answer, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	if err != nil || string(text) != "3" {
		t.Errorf("counted %q, error %v; want 3", text, err)
	}
	client.CloseIdleConnections()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"-nope"}, {"rest"}} {
		if err := run(t.Context(), args, io.Discard); !errors.Is(err, errUsage) || strings.Contains(err.Error(), "%!") {
			t.Errorf("%v: error %v", args, err)
		}
	}
	if err := run(t.Context(), []string{"-h"}, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: error %v", err)
	}
	if err := run(t.Context(), []string{"-addr", "127.0.0.1:99999"}, io.Discard); err == nil || errors.Is(err, errUsage) {
		t.Errorf("a port that cannot be: error %v", err)
	}
}
