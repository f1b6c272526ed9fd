package server_test

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"manyhands/helpers/server"
)

func Example() {
	s := server.Sleepy(server.Limits{AtOnce: 10, Takes: 20 * time.Millisecond}).Start()
	defer s.Close()

	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			resp, err := http.Get(s.URL)
			if err != nil {
				fmt.Println(err)
				return
			}
			resp.Body.Close()
		})
	}
	all.Wait()
	l := s.Log()
	fmt.Println(l.Count(server.Served), "served; more than 10 at once:", l.MostAtOnce() > 10)
	// Output: 20 served; more than 10 at once: false
}

// Ten images through a pool of four, as in the practical.
func ExampleImages() {
	s := server.Images(server.Limits{Takes: 5 * time.Millisecond}).Start()
	defer s.Close()

	images := make([][]byte, len(s.URLs()))
	var pool errgroup.Group
	pool.SetLimit(4)
	for i, url := range s.URLs() {
		pool.Go(func() error {
			resp, err := http.Get(url)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			images[i], err = io.ReadAll(resp.Body)
			return err
		})
	}
	err := pool.Wait()
	fmt.Println(len(images), "images,", err)
	fmt.Println(http.DetectContentType(images[9]))
	// Output:
	// 10 images, <nil>
	// image/jpeg
}

func ExampleFiles() {
	// The fifth file would take 10.5 s on a connection of 5 MB/s; here all are a thousandth.
	s := server.Files(0.001, server.Limits{Link: 20e6, Connection: 5e6}).Start()
	defer s.Close()

	for _, url := range s.URLs() {
		resp, err := http.Get(url)
		if err != nil {
			fmt.Println(err)
			return
		}
		n, err := io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		fmt.Println(n, "bytes", err)
	}
	// Output:
	// 19 bytes <nil>
	// 72 bytes <nil>
	// 150 bytes <nil>
	// 1100 bytes <nil>
	// 52351 bytes <nil>
}

func ExampleLog_Queue() {
	l := server.Log{Requests: []server.Request{
		{Stage: server.Served, Took: 2 * time.Second},
		{Stage: server.Served, Arrived: time.Second, Waited: time.Second, Took: 2 * time.Second},
	}}
	for _, d := range l.Queue() {
		fmt.Println("from", d.At, "on", d.Requests, "queued")
	}
	// Output:
	// from 0s on 0 queued
	// from 1s on 1 queued
	// from 2s on 0 queued
	// from 4s on 0 queued
}
