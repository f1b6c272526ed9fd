package build

// AtOnceHere is how many lessons run at the same time unless told otherwise.
var AtOnceHere = atOnce

// AtOnce is opt with n as the number of lessons that run at the same time, where the
// cores of the machine must not decide.
func (opt Options) AtOnce(n int) Options {
	opt.atOnce = n
	return opt
}
