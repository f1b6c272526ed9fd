//go:build unix

package process_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"manyhands/helpers/process"
)

// longest is a package-level variable, so workers know it. It does not care for
// an empty text.
var longest = process.Register("longest", func(_ context.Context, text string) (int, error) {
	if text == "" {
		os.Exit(3) // takes the worker down, and nothing else
	}
	return len(text), nil
})

func ExamplePool_Map() {
	pool, err := longest.Start(process.Options{Workers: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pool.Close()
	lengths, err := pool.Map(context.Background(), []string{"one", "", "three"})
	fmt.Println(lengths, errors.Is(err, process.ErrCrashed))
	fmt.Println(err)
	// Output:
	// [3 0 5] true
	// task 1: process: longest: the worker crashed: exit status 3 (EOF)
}

func ExamplePool_Submit() {
	pool, err := longest.Start(process.Options{Workers: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pool.Close()
	future := pool.Submit(context.Background(), "a text")
	fmt.Println("meanwhile")
	fmt.Println(future.Wait())
	// Output:
	// meanwhile
	// 6 <nil>
}

func ExamplePool_Completed() {
	pool, err := longest.Start(process.Options{Workers: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pool.Close()
	texts := []string{"one", "three", "fifteen"}
	for i, r := range pool.Completed(context.Background(), texts) {
		fmt.Println(texts[i], r.Value, r.Err)
	}
	// Unordered output:
	// one 3 <nil>
	// three 5 <nil>
	// fifteen 7 <nil>
}

// Two workers double the numbers of one array, each in a half of its own.
func ExampleShare() {
	array, err := process.Share([]float64{1, 2, 3, 4})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer array.Close()
	pool, err := double.Start(process.Options{Workers: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pool.Close()
	_, err = pool.Map(context.Background(), []chunk{{array, 0, 2}, {array, 2, 4}})
	fmt.Println(array.Slice(), err)
	// Output: [2 4 6 8] <nil>
}

var double = process.Register("double", func(_ context.Context, c chunk) (struct{}, error) {
	numbers := c.Array.Slice()[c.From:c.To]
	for i := range numbers {
		numbers[i] *= 2
	}
	return struct{}{}, nil
})
