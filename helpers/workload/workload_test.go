package workload_test

import (
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"maps"
	"math"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"manyhands/helpers/workload"
)

func TestSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		workload.Slow(10 * time.Second)
		if d := time.Since(start); d != 10*time.Second {
			t.Errorf("waited %v", d)
		}
	})
}

func TestSumRange(t *testing.T) {
	for _, test := range []struct{ first, end, want int }{
		{0, 0, 0}, {0, 1, 0}, {0, 101, 5050}, {-3, 3, -3}, {5, 2, 0}, {0, 1 << 20, (1<<20 - 1) << 19},
	} {
		if got := workload.SumRange(test.first, test.end); got != test.want {
			t.Errorf("SumRange(%d, %d) = %d, want %d", test.first, test.end, got, test.want)
		}
	}
}

// TestSeeds pins what the seeds make, which the lessons' texts rely on to be
// the same everywhere and from release to release.
func TestSeeds(t *testing.T) {
	const (
		wantFloats  = "[0.23842319087387442 0.50092138792625 0.04999911180706662]"
		wantText    = "dado ro nuni si di li gufu zave"
		wantPicture = 0x32851c1b
	)
	floats := fmt.Sprint(workload.Floats(3, 1))
	text := workload.Text(8, 1)
	picture := crc32.ChecksumIEEE(workload.Picture(64, 48, 1).Pix)
	if floats != wantFloats || text != wantText || picture != wantPicture {
		t.Errorf("seed 1 makes\n%s\n%q\n%#x", floats, text, picture)
	}
	if fmt.Sprint(workload.Floats(3, 2)) == floats || workload.Text(8, 2) == text ||
		crc32.ChecksumIEEE(workload.Picture(64, 48, 2).Pix) == picture {
		t.Error("seed 2 makes the same as seed 1")
	}
}

func TestFloatsAreUniform(t *testing.T) {
	const n = 100_000
	sum := 0.0
	xs := workload.Floats(n, 7)
	for _, x := range xs {
		if x < 0 || x >= 1 {
			t.Fatalf("%v is not in [0, 1)", x)
		}
		sum += x
	}
	if mean := sum / n; math.Abs(mean-0.5) > 4*math.Sqrt(1.0/12/n) {
		t.Errorf("mean %v is more than 4 standard errors off", mean)
	}
}

func TestMax(t *testing.T) {
	for _, xs := range [][]float64{{3, 1, 2}, {1, 3}, {-2, 3, math.Inf(-1)}, {3}} {
		if got := workload.Max(xs); got != 3 {
			t.Errorf("Max(%v) = %v", xs, got)
		}
	}
}

func TestMaxOfNothing(t *testing.T) {
	defer func() {
		if v := recover(); !strings.Contains(fmt.Sprint(v), "at least one") {
			t.Errorf("recovered %v", v)
		}
	}()
	workload.Max(nil)
}

func TestCountsOfPartsAddUp(t *testing.T) {
	text := workload.Text(10_000, 1)
	whole := workload.CountWords(text)
	cut := strings.LastIndexByte(text[:len(text)/2], ' ')
	parts := workload.CountWords(text[:cut])
	for word, n := range workload.CountWords(text[cut:]) {
		parts[word] += n
	}
	if !maps.Equal(whole, parts) {
		t.Error("the counts of two halves do not add up")
	}
	total, most := 0, 0
	for _, n := range whole {
		total, most = total+n, max(most, n)
	}
	if total != 10_000 || most < 200 || len(whole) < 1000 {
		t.Errorf("%d words, %d different, the most frequent %d times: not like a language", total, len(whole), most)
	}
}

func TestBlur(t *testing.T) {
	dot := image.NewRGBA(image.Rect(0, 0, 7, 7))
	dot.SetRGBA(3, 3, color.RGBA{225, 0, 90, 255})
	blurred := workload.Blur(dot, 1)
	for y := range 7 {
		for x := range 7 {
			var want color.RGBA
			if x >= 2 && x <= 4 && y >= 2 && y <= 4 {
				want = color.RGBA{25, 0, 10, 28} // a ninth each
			}
			if got := blurred.RGBAAt(x, y); got != want {
				t.Errorf("pixel %d,%d is %v, want %v", x, y, got, want)
			}
		}
	}
	plain := workload.Picture(9, 5, 3)
	for i := range plain.Pix {
		plain.Pix[i] = 200
	}
	for radius := range 12 { // beyond the picture, too
		if got := workload.Blur(plain, radius); string(got.Pix) != string(plain.Pix) {
			t.Errorf("radius %d changes a picture of one colour", radius)
		}
	}
	part := workload.Picture(20, 20, 1).SubImage(image.Rect(5, 5, 15, 12)).(*image.RGBA)
	if got := workload.Blur(part, 0); got.Rect != part.Rect || got.At(14, 11) != part.At(14, 11) {
		t.Error("radius 0 changes a part of a picture")
	}
}

func TestScale(t *testing.T) {
	for scale, want := range map[string]int{"": 100, "1": 100, "0.1": 10, "2.5": 250, "1e-9": 1} {
		t.Setenv("MANYHANDS_SCALE", scale)
		if got := workload.Scaled(100); got != want {
			t.Errorf("scale %q: Scaled(100) = %d, want %d", scale, got, want)
		}
	}
	for _, scale := range []string{"0", "-1", "NaN", "Inf", "big"} {
		t.Setenv("MANYHANDS_SCALE", scale)
		func() {
			defer func() {
				if v := recover(); !strings.Contains(fmt.Sprint(v), "MANYHANDS_SCALE") {
					t.Errorf("scale %q: recovered %v", scale, v)
				}
			}()
			workload.Scale()
		}()
	}
}

func TestFit(t *testing.T) {
	t.Setenv("MANYHANDS_SCALE", "")
	if s := workload.Fit(1000, 8); s.N != 1000 || s.String() != "1 000: the size for a class (0.008 MB)" {
		t.Errorf("a small size: %v", s)
	}
	if s := workload.Fit(math.MaxInt32, 1<<20); s.N >= math.MaxInt32 || s.N < 1 || !strings.Contains(s.Why, "memory") {
		t.Errorf("2 PB fit: %v", s)
	}
	t.Setenv("MANYHANDS_SCALE", "0.5")
	if s := workload.Fit(1000, 8); s.N != 500 || !strings.Contains(s.Why, "MANYHANDS_SCALE=0.5") {
		t.Errorf("half the size: %v", s)
	}
}

func ExampleMax() {
	os.Setenv("MANYHANDS_SCALE", "0.001")
	defer os.Unsetenv("MANYHANDS_SCALE")
	size := workload.Fit(1_000_000, 8)
	fmt.Println(size)
	fmt.Printf("%.3f\n", workload.Max(workload.Floats(size.N, 1)))
	// Output:
	// 1 000: the size for a class, 1 000 000, × MANYHANDS_SCALE=0.001 (0.008 MB)
	// 1.000
}

func ExamplePower() {
	p := workload.Power(42, 20)
	fmt.Println(p, "has", p.BitLen(), "bits")
	// Output: 291733167875766667063796853374976 has 108 bits
}

func ExampleCountWords() {
	fmt.Println(workload.CountWords("many hands make many things"))
	// Output: map[hands:1 make:1 many:2 things:1]
}
