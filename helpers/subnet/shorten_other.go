//go:build !unix

package subnet

import "errors"

// shorten is not known here.
func shorten(uintptr) error { return errors.New("silent hosts need Linux") }
