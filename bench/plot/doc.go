// Package plot draws the report's figures as self-contained SVG 1.1 files, or as
// elements of a page.
//
// XY draws lines and points over two numeric axes, and with the axis of Tail
// percentile curves; Rows draws one measurement per row with its interval, as in a
// forest plot; Heat draws how often what occurred when. They are plain values and
// Figures. Text is placed so that labels never cover each other at the
// size a phone shows; on wider pages a media query only makes it smaller. Colours
// follow prefers-color-scheme, and the background is painted, so that a figure
// stays legible on any page.
//
// The package knows nothing of trials or arms and holds no state.
package plot
