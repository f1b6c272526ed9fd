// Package workload holds the work that the lessons share out: waiting, big
// powers, sums, maxima, word counts and blurred pictures.
//
// Every function is pure and does its work in one goroutine; to share it out
// is what the lessons are about. What is random comes from a seed, and is the
// same on every machine.
//
// How much work there is adapts to the machine: [Scaled] heeds the environment
// variable MANYHANDS_SCALE, and [Fit] the free memory as well. A lesson names
// the size that suits a class, which is scale 1; a test of the course may set
// 0.1, and a machine with 64 cores 10.
package workload

import (
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Slow waits for d, and needs no core while it does: the request to a distant
// server, the read from a slow disk.
func Slow(d time.Duration) { time.Sleep(d) }

// Power returns base to the power of exponent, which must not be negative. It is
// CPU-bound, and its time grows with the exponent to the power of about 1.6, as
// math/big multiplies by Karatsuba's method.
func Power(base, exponent int64) *big.Int {
	return new(big.Int).Exp(big.NewInt(base), big.NewInt(exponent), nil)
}

// SumRange returns the sum of the integers from first up to, but without, end,
// by adding them one by one. It is CPU-bound and touches no memory. Ranges that
// follow each other add up: SumRange(a, b) + SumRange(b, c) = SumRange(a, c).
func SumRange(first, end int) int {
	sum := 0
	for i := first; i < end; i++ {
		sum += i
	}
	return sum
}

// Floats returns n random numbers, uniform in [0, 1), of 8 bytes each. Choose n
// by Fit(n, 8).
func Floats(n int, seed uint64) []float64 {
	xs := make([]float64, n)
	Fill(xs, seed)
	return xs
}

// Fill overwrites xs with what [Floats] makes of the seed. It takes some 2 ns a
// number, and less in several goroutines, each with a part and a seed of its own.
func Fill(xs []float64, seed uint64) {
	r := rand.NewPCG(seed, 0)
	for i := range xs {
		xs[i] = float64(r.Uint64()<<11>>11) / (1 << 53) // as rand.Float64, whose calls are not inlined
	}
}

// Max returns the largest of xs, in which must be no NaN. It panics where xs is
// empty. It makes one comparison for 8 bytes read, so that on several cores the
// memory soon has more to do than they have.
func Max(xs []float64) float64 {
	if len(xs) == 0 {
		panic("workload: no numbers have no maximum: give Max at least one")
	}
	m := xs[0]
	for _, x := range xs {
		if x > m {
			m = x
		}
	}
	return m
}

// Text returns n words of an invented language, separated by spaces, about 4
// bytes a word. As in real languages a few words are frequent and most are rare
// (Zipf's law).
func Text(n int, seed uint64) string {
	r := source(seed)
	words := vocabulary(5000)
	frequency := rand.NewZipf(r, 1.1, 2.7, uint64(len(words)-1))
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(words[frequency.Uint64()])
	}
	return b.String()
}

// vocabulary returns n different words, the short ones first.
func vocabulary(n int) []string {
	var syllables, words []string
	for _, consonant := range "bdfgklmnprstvz" {
		for _, vowel := range "aeiou" {
			syllables = append(syllables, string(consonant)+string(vowel))
		}
	}
	for words = slices.Clone(syllables); len(words) < n; {
		for _, word := range words {
			for _, syllable := range syllables {
				words = append(words, word+syllable)
			}
		}
	}
	return words[:n]
}

// CountWords returns how often each word of text occurs. Counts of parts of a
// text that were cut between words add up to the count of the whole.
func CountWords(text string) map[string]int {
	count := make(map[string]int)
	for word := range strings.FieldsSeq(text) {
		count[word]++
	}
	return count
}

func source(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }
