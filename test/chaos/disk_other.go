//go:build !linux

package main

import "errors"

type storage struct{}

func newStorage(string) (*storage, error) { return nil, errors.New("-disk needs Linux") }

func (*storage) close() {}

func (w *world) diskFaults() []fault { return nil }
