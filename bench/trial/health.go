package trial

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// health is what GET /health says.
type health struct {
	Status string `json:"status"`
	Queue  *int64 `json:"queue_size"`
}

// askHealth returns what a server says of itself, healthy or not.
func askHealth(ctx context.Context, client *http.Client, s *server) (health, error) {
	var said health
	_, _, body, err := fetch(ctx, client, s.url("/health"))
	if err != nil {
		return said, err
	}
	if err := json.Unmarshal(body, &said); err != nil {
		return said, fmt.Errorf("read health: %w", err)
	}
	return said, nil
}

// healthDepth returns how many samples are accepted and not yet stored.
func healthDepth(ctx context.Context, client *http.Client, s *server) (int64, error) {
	said, err := askHealth(ctx, client, s)
	if err != nil {
		return 0, err
	}
	if said.Queue == nil {
		return 0, errors.New("read health: no queue_size")
	}
	return *said.Queue, nil
}
