//go:build !linux

package main

import "errors"

type storage struct{}

var errMount = errors.New("-disk needs Linux")

func newStorage(string) (*storage, error) { return nil, errMount }

func (*storage) close() {}

func (w *world) diskFaults() []fault { return nil }
