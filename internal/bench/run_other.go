//go:build !linux

package bench

import (
	"context"
	"errors"
)

// Run runs a scenario once. It needs epoll.
func Run(context.Context, Target, Scenario, Options) (Result, error) {
	return Result{}, errors.New("the load generator runs on Linux only")
}
