package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"manyhands/internal/brokerd"
)

type brokerCommand struct {
	Kind  string `arg:"" enum:"nats,redis" help:"nats or redis."`
	For   int    `help:"End with the process of this number, such as a notebook's kernel." placeholder:"PID"`
	Nodes int    `help:"Start a cluster of so many NATS servers on this machine, each a process: 3 or 5." placeholder:"N"`
	Node  string `hidden:"" env:"MANYHANDS_NODE" help:"Be one of them."`
}

func (*brokerCommand) Help() string {
	return "Prints the broker's URL, with its password, and runs until it is interrupted. " +
		"The lessons start what they need by themselves; they use another broker where NATS_URL or REDIS_URL says so."
}

func (v *brokerCommand) Run(ctx context.Context) error {
	if v.Node != "" {
		return brokerd.RunNode(ctx, v.Node)
	}
	url, stop, err := v.start(ctx)
	if err != nil {
		return err
	}
	defer stop()
	fmt.Println(url)
	if v.For > 0 {
		return brokerd.Await(ctx, v.For)
	}
	<-ctx.Done()
	return nil
}

func (v *brokerCommand) start(ctx context.Context) (url string, stop func(), err error) {
	switch {
	case v.Nodes == 0:
		b, err := brokerd.Start(v.Kind)
		if err != nil {
			return "", nil, err
		}
		return b.URL, b.Stop, nil
	case v.Kind != "nats" || v.Nodes != 3 && v.Nodes != 5:
		return "", nil, errors.New("--nodes is for nats, and 3 or 5: a cluster decides by majority, and keeps three copies")
	}
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	nodes, err := brokerd.StartNodes(ctx, v.Nodes, func(text string) *exec.Cmd {
		cmd := exec.Command(self, "broker", v.Kind)
		cmd.Env = append(os.Environ(), "MANYHANDS_NODE="+text) // not an argument: it has the password, and those everybody can read
		return cmd
	})
	if err != nil {
		return "", nil, err
	}
	return nodes.URL, nodes.Stop, nil
}
