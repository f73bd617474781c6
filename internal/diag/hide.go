package diag

// Hide keeps a line from being shown, as it holds a secret: problems there
// come without the line from now on.
func (f *File) Hide(line int) {
	if line >= 1 && line <= len(f.lines) {
		f.lines[line-1] = ""
	}
}
