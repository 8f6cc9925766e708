package main

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// parse sets field, which is of one of the types of settings, to what was written.
func parse(field reflect.Value, written []string, tag reflect.StructTag) error {
	if field.Kind() == reflect.Slice {
		var all list
		for _, w := range written {
			sep := tag.Get("sep")
			if sep == "" {
				sep = ","
			}
			for item := range strings.SplitSeq(w, sep) {
				if item = strings.TrimSpace(item); item != "" {
					all = append(all, item)
				}
			}
		}
		field.Set(reflect.ValueOf(all))
		return nil
	}
	if len(written) != 1 {
		return errors.New("one value, not a list")
	}
	w := strings.TrimSpace(written[0])
	switch p := field.Addr().Interface().(type) {
	case *text:
		*p = text(w)
	case *toggle:
		b, err := strconv.ParseBool(w)
		if err != nil {
			return errors.New("true or false")
		}
		*p = toggle(b)
	case *count:
		n, err := strconv.Atoi(strings.ReplaceAll(w, "_", ""))
		if err != nil {
			return errors.New("a whole number, such as 4096")
		}
		*p = count(n)
	case *size:
		n, err := parseSize(w)
		if err != nil {
			return err
		}
		*p = size(n)
	case *duration:
		d, err := time.ParseDuration(w)
		if err != nil {
			return errors.New("a duration with a unit, such as 300ms, 25s or 5m")
		}
		*p = duration(d)
	default:
		panic(fmt.Sprintf("settings has a field of type %s", field.Type()))
	}
	return bounds(field, tag)
}

// bounds checks a number against the tags of its field.
func bounds(field reflect.Value, tag reflect.StructTag) error {
	if !field.CanInt() || field.Int() == 0 && tag.Get("zero") != "" {
		return nil
	}
	bound := func(name string) (limit reflect.Value, ok bool) {
		text, ok := tag.Lookup(name)
		limit = reflect.New(field.Type()).Elem()
		if ok {
			if err := parse(limit, []string{text}, ""); err != nil {
				panic(fmt.Sprintf("tag %s:%q: %v", name, text, err))
			}
		}
		return limit, ok
	}
	var fault string
	if limit, ok := bound("min"); ok && field.Int() < limit.Int() {
		fault = "at least " + tag.Get("min")
		if why := tag.Get("why"); why != "" {
			fault += " (" + why + ")"
		}
		if zero := tag.Get("zero"); zero != "" {
			fault += " (0 " + zero + ")"
		}
	}
	if limit, ok := bound("max"); ok && field.Int() > limit.Int() {
		fault = "at most " + tag.Get("max")
	}
	if fault != "" {
		return errors.New(fault)
	}
	return nil
}

var units = []struct {
	name  string
	bytes int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30},
	{"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9},
	{"B", 1},
}

func parseSize(s string) (int64, error) {
	factor := int64(1)
	for _, u := range units {
		if digits, ok := strings.CutSuffix(s, u.name); ok {
			s, factor = strings.TrimSpace(digits), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(strings.ReplaceAll(s, "_", ""), 10, 64)
	if err != nil || n > math.MaxInt64/factor || n < math.MinInt64/factor {
		return 0, errors.New("a size, such as 1000000, 512KiB or 1MB")
	}
	return n * factor, nil
}
