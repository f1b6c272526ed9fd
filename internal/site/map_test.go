package site

import (
	"fmt"
	"testing"
)

// TestMapHasRoom draws rows of any length: no box covers another one, or leaves the map.
func TestMapHasRoom(t *testing.T) {
	for n := 1; n <= 12; n++ {
		lessons := []entry{{Name: "first"}}
		for i := range n {
			lessons = append(lessons, entry{Name: fmt.Sprint("then ", i), Needs: []string{"first"}})
		}
		places := drawMap(lessons).Places
		for i, p := range places {
			if p.X+p.Left() < 0 || p.X-p.Left() > mapWidth {
				t.Errorf("in a row of %d, the box of %q leaves the map", n, p.Name)
			}
			if i > 0 && places[i-1].Y == p.Y && places[i-1].X-places[i-1].Left() >= p.X+p.Left() {
				t.Errorf("in a row of %d, the box of %q covers the one before", n, p.Name)
			}
		}
	}
}
