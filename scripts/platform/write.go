package main

import (
	"io"

	"phase0/scripts/lab"
)

// write puts all files into dir, over those of an earlier run.
func write(dir string, r *report) error {
	files := map[string]func(io.Writer) error{
		"platform.json": func(w io.Writer) error { return lab.WriteJSON(w, r) },
		"platform.md":   func(w io.Writer) error { return writeMarkdown(w, r) },
	}
	for _, f := range figures(r) {
		files[f.file] = func(w io.Writer) error {
			_, err := f.plot.WriteTo(w)
			return err
		}
	}
	return lab.Write(dir, files)
}
