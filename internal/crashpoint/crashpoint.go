// Package crashpoint ends the process at a named point of its work, as a crash
// would, so that a test can look at what is left behind. Code names its points
// with At; CRASHPOINT=name:n in the environment has the process kill itself
// when it comes to that point for the n-th time.
//
// Only a build with the tag crashpoints does any of this. In all others the
// functions are empty and inlined away: no point's name is in the binary, and
// nothing in the environment has an effect. The package decides nothing: which
// points there are is read from the source by the tests of cmd/crmsyncd.
package crashpoint
