# What .ci/run and .ci/long both need to know.

# Without the packages whose tests drive other programs or run JavaScript: the
# race detector sees nothing of them and makes them up to ten times slower.
raced() {
	go list ./... | grep -vxE 'manyhands(/internal/(browsertest|echarts|gonb|practical))?'
}

# fuzz_targets prints a line for each: its name and its package.
fuzz_targets() {
	git grep -oE '^func Fuzz\w+' -- '*_test.go' | while IFS=: read -r file target; do
		echo "${target#func }" "./$(dirname "$file")"
	done
}
