package main

import (
	"reflect"

	"github.com/alecthomas/kong"
)

// flagValues holds the flags of type settings that were given, as they were written. kong only
// collects them, so that their faults can be told together with those of the other layers.
type flagValues map[string][]string

// options makes kong note flags of the types of settings instead of parsing them.
func (v flagValues) options() []kong.Option {
	return []kong.Option{
		kong.TypeMapper(reflect.TypeFor[text](), v),
		kong.TypeMapper(reflect.TypeFor[list](), v),
		kong.TypeMapper(reflect.TypeFor[count](), v),
		kong.TypeMapper(reflect.TypeFor[size](), v),
		kong.TypeMapper(reflect.TypeFor[duration](), v),
		kong.TypeMapper(reflect.TypeFor[toggle](), toggleFlag{v}),
		kong.ValueFormatter(func(value *kong.Value) string {
			switch def := value.Tag.Get("def"); def {
			case "":
				return value.Help
			case "true":
				return value.Help + " Default true; --" + value.Name + "=false."
			default:
				return value.Help + " Default " + def + "."
			}
		}),
	}
}

// Decode implements kong.Mapper.
func (v flagValues) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	var written string
	if err := ctx.Scan.PopValueInto(ctx.Value.Name, &written); err != nil {
		return err
	}
	if target.Kind() == reflect.Slice {
		v[ctx.Value.Name] = append(v[ctx.Value.Name], written)
	} else {
		v[ctx.Value.Name] = []string{written}
	}
	return nil
}

func (v flagValues) asMap() map[string]any {
	m := make(map[string]any, len(v))
	for key, written := range v {
		m[key] = written
		if len(written) == 1 {
			m[key] = written[0]
		}
	}
	return m
}

// toggleFlag is a flag that may stand without a value.
type toggleFlag struct{ flagValues }

// IsBool implements kong.BoolMapper.
func (toggleFlag) IsBool() bool { return true }

// Decode implements kong.Mapper.
func (f toggleFlag) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	if ctx.Scan.Peek().Type == kong.FlagValueToken {
		return f.flagValues.Decode(ctx, target)
	}
	f.flagValues[ctx.Value.Name] = []string{"true"}
	return nil
}
