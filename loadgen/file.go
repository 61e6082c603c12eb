package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// probeAll probes the files that have a name.
func probeAll(paths ...string) error {
	for _, path := range paths {
		if path == "" {
			continue
		}
		if err := probe(path); err != nil {
			return err
		}
	}
	return nil
}

// probe makes sure, before any load, that path can be written.
func probe(path string) error {
	path, device, err := destination(path)
	if err != nil || device {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".loadgen-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	f.Close()
	return os.Remove(f.Name())
}

// destination follows symbolic links, so that a link is written through and not
// replaced. Device reports that path is no regular file, such as /dev/stdout: it is
// written in place, since renaming over it would destroy it.
func destination(path string) (target string, device bool, err error) {
	info, err := os.Stat(path)
	if link, linkErr := os.Readlink(path); err != nil && linkErr == nil {
		return path, false, fmt.Errorf("write %s: it is a link to %s, which cannot be reached", path, link)
	}
	switch {
	case err != nil: // it does not exist, or writing will say what is wrong
		return path, false, nil
	case info.IsDir():
		return path, false, fmt.Errorf("write %s: is a directory", path)
	case !info.Mode().IsRegular():
		return path, true, nil
	}
	if target, err = filepath.EvalSymlinks(path); err != nil {
		return path, false, fmt.Errorf("write %s: %w", path, err)
	}
	return target, false, nil
}

func writeJSON(w io.Writer, v any) error {
	data, err := encode(v)
	if err != nil {
		return err
	}
	return writeText(w, string(data))
}

func encode(v any) ([]byte, error) {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode result: %w", err)
	}
	return append(data, '\n'), nil
}

// save writes v as JSON so that path holds all of it or what it held before.
func save(path string, v any) error {
	data, err := encode(v)
	if err != nil {
		return err
	}
	return replaceFile(path, data)
}

// replaceFile makes data the content of path, all or nothing.
func replaceFile(path string, data []byte) error {
	path, device, err := destination(path)
	if err != nil {
		return err
	}
	if device {
		return os.WriteFile(path, data, 0o644)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".loadgen-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // has no effect after the rename
	mode := os.FileMode(0o644)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	if err := fillFile(f, data, mode); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// fillFile writes data durably and closes f.
func fillFile(f *os.File, data []byte, mode os.FileMode) error {
	_, err := f.Write(data)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}
