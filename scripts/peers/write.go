package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// write puts all files into dir, over those of an earlier run.
func write(dir string, r *report) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("create results: %w", err)
	}
	files := map[string]func(io.Writer) error{
		"peers.json": func(w io.Writer) error { return writeJSON(w, r) },
		"peers.md":   func(w io.Writer) error { return writeMarkdown(w, r) },
	}
	for _, f := range figures(r) {
		files[f.file] = func(w io.Writer) error {
			_, err := f.plot.WriteTo(w)
			return err
		}
	}
	for name, content := range files {
		if err := writeFile(filepath.Join(dir, name), content); err != nil {
			return fmt.Errorf("write %s: %w", name, err)
		}
	}
	return nil
}

func writeFile(path string, content func(io.Writer) error) error {
	file, err := os.Create(filepath.Clean(path))
	if err != nil {
		return err
	}
	return errors.Join(content(file), file.Close())
}

func writeJSON(w io.Writer, r *report) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", " ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(r); err != nil {
		return fmt.Errorf("encode results: %w", err)
	}
	return nil
}
