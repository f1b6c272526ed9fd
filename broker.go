package main

import (
	"context"
	"fmt"

	"manyhands/internal/brokerd"
)

type brokerCommand struct {
	Kind string `arg:"" enum:"nats,redis" help:"nats or redis."`
	For  int    `help:"End with the process of this number, such as a notebook's kernel." placeholder:"PID"`
}

func (*brokerCommand) Help() string {
	return "Prints the broker's URL, with its password, and runs until it is interrupted. " +
		"The lessons start what they need by themselves; they use another broker where NATS_URL or REDIS_URL says so."
}

func (v *brokerCommand) Run(ctx context.Context) error {
	b, err := brokerd.Start(v.Kind)
	if err != nil {
		return err
	}
	defer b.Stop()
	fmt.Println(b.URL)
	if v.For > 0 {
		return brokerd.Await(ctx, v.For)
	}
	<-ctx.Done()
	return nil
}
