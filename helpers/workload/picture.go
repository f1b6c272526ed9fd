package workload

import (
	"image"
	"image/color"
	"image/draw"
)

// Picture returns an opaque picture of width × height pixels, 4 bytes each,
// with a few dozen coloured rectangles whose edges show how blurred it is.
func Picture(width, height int, seed uint64) *image.RGBA {
	r := source(seed)
	picture := image.NewRGBA(image.Rect(0, 0, width, height))
	for i := range 40 {
		area := picture.Rect
		if i > 0 { // the first is the background
			area = image.Rect(r.IntN(width+1), r.IntN(height+1), r.IntN(width+1), r.IntN(height+1))
		}
		c := color.RGBA{uint8(r.Uint32()), uint8(r.Uint32()), uint8(r.Uint32()), 255}
		draw.Draw(picture, area, image.NewUniform(c), image.Point{}, draw.Src)
	}
	return picture
}

// Blur returns a blurred copy of picture: each pixel becomes the mean of those
// at most radius columns and radius rows away, as far as the picture goes (a box
// blur, done along the rows and then along the columns). It is CPU-bound; the
// time grows with pixels × radius.
func Blur(picture *image.RGBA, radius int) *image.RGBA {
	return blurAlong(blurAlong(picture, radius, image.Pt(1, 0)), radius, image.Pt(0, 1))
}

// blurAlong averages in one direction, given by a step of one pixel.
func blurAlong(src *image.RGBA, radius int, step image.Point) *image.RGBA {
	dst := image.NewRGBA(src.Rect)
	for y := src.Rect.Min.Y; y < src.Rect.Max.Y; y++ {
		for x := src.Rect.Min.X; x < src.Rect.Max.X; x++ {
			var sum [4]int
			n := 0
			for k := -radius; k <= radius; k++ {
				p := image.Pt(x, y).Add(step.Mul(k))
				if !p.In(src.Rect) {
					continue
				}
				pixel := src.Pix[src.PixOffset(p.X, p.Y):]
				for i := range sum {
					sum[i] += int(pixel[i])
				}
				n++
			}
			pixel := dst.Pix[dst.PixOffset(x, y):]
			for i := range sum {
				pixel[i] = uint8((sum[i] + n/2) / n)
			}
		}
	}
	return dst
}
