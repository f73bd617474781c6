//go:build !linux

package bolt

func residentFiles() int { return 0 }

func unmapResident(uintptr, uintptr) {}
