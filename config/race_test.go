//go:build race

package config_test

// raced says that the race detector is on, with which times mean nothing.
const raced = true
