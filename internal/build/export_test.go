package build

// AtOnce is opt with n as the number of lessons that run at the same time, where the
// cores of the machine must not decide.
func (opt Options) AtOnce(n int) Options {
	opt.atOnce = n
	return opt
}
