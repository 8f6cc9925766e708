package hostile

import (
	"fmt"
	"strings"
)

// characters is group 6: text that is UTF-8, and text that is not, which closes with the byte that
// makes it so.
func characters(ok fine, bad wrong) {
	const kosme = "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"
	const greeting = "4Hello-\u00b5@\u00df\u00f6\u00e4\u00fc\u00e0\u00e1-UTF-8!!"
	echoed := []string{said(greeting)}
	ok("6.1.1", []string{said("4")}, frame(text, "4"))
	ok("6.1.2", []string{said("4")}, frame(0x01, "4")+frame(0x00, "")+frame(0x80, ""))
	ok("6.1.3", []string{said("4middle frame payload")}, frame(0x01, "")+frame(0x00, "4middle frame payload")+frame(0x80, ""))
	ok("6.2.1", echoed, frame(text, greeting))
	ok("6.2.2", echoed, frame(0x01, greeting[:12])+frame(0x80, greeting[12:])) // in a character
	ok("6.2.3", echoed, fragments(0x01, greeting, 1))
	ok("6.2.4", []string{said("4" + kosme)}, fragments(0x01, "4"+kosme, 1))
	bad("6.3.1", nil, 1007, frame(text, "4"+kosme+"\xed\xa0\x80edited"))
	bad("6.3.2", nil, 1007, fragments(0x01, "4"+kosme+"\xed\xa0\x80edited", 1))
	// What makes it invalid is here, and the rest never comes.
	bad("6.4.1", nil, 1007, frame(0x01, "4"+kosme), frame(0x00, "\xf4\x90\x80\x80"))
	bad("6.4.2", nil, 1007, frame(0x01, "4"+kosme+"\xf4"), frame(0x00, "\x90"))
	whole := frame(text, "4"+kosme+"\xf4\x90\x80\x80edited")
	bad("6.4.3", nil, 1007, whole[:6+1+len(kosme)], whole[6+1+len(kosme):6+1+len(kosme)+4])
	bad("6.4.4", nil, 1007, whole[:6+1+len(kosme)+1], whole[6+1+len(kosme)+1:6+1+len(kosme)+2])

	n := 4
	group := func(valid func(s string) bool, sequences ...string) {
		n++
		for i, s := range sequences {
			id := fmt.Sprintf("6.%d.%d", n, i+1)
			if valid(s) {
				ok(id, []string{said("4" + s)}, frame(text, "4"+s))
			} else {
				bad(id, nil, 1007, frame(text, "4"+s))
			}
		}
	}
	all := func(string) bool { return true }
	none := func(string) bool { return false }

	group(all, "hello\x24world", "hello\xc2\xa2world", "hello\xe2\x82\xacworld", "hello\xf0\xa4\xad\xa2world", kosme)
	var prefixes []string
	for i := 1; i <= len(kosme); i++ {
		prefixes = append(prefixes, kosme[:i])
	}
	group(func(s string) bool { return strings.Contains(" 2 5 7 9 11 ", fmt.Sprintf(" %d ", len(s))) }, prefixes...)
	group(all, "\x00", "\xc2\x80", "\xe0\xa0\x80", "\xf0\x90\x80\x80")
	group(none, "\xf8\x88\x80\x80\x80", "\xfc\x84\x80\x80\x80\x80")
	group(all, "\x7f", "\xdf\xbf", "\xef\xbf\xbf", "\xf4\x8f\xbf\xbf")
	group(none, "\xf7\xbf\xbf\xbf", "\xfb\xbf\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf\xbf")
	group(func(s string) bool { return s != "\xf4\x90\x80\x80" }, "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbd", "\xf4\x8f\xbf\xbf", "\xf4\x90\x80\x80")
	var continuations strings.Builder
	for c := 0x80; c <= 0xbf; c++ {
		continuations.WriteByte(byte(c))
	}
	const more = "\x80\xbf\x80\xbf\x80\xbf"
	group(none, "\x80", "\xbf", more[:2], more[:3], more[:4], more[:5], more, continuations.String())
	var lonely []string
	for _, span := range [][2]int{{0xc0, 0xdf}, {0xe0, 0xef}, {0xf0, 0xf7}, {0xf8, 0xfb}, {0xfc, 0xfd}} {
		var s strings.Builder
		for c := span[0]; c <= span[1]; c++ {
			s.WriteByte(byte(c))
			s.WriteByte(' ')
		}
		lonely = append(lonely, s.String())
	}
	group(none, lonely...)
	cut := []string{"\xc0", "\xe0\x80", "\xf0\x80\x80", "\xf8\x80\x80\x80", "\xfc\x80\x80\x80\x80", "\xdf", "\xef\xbf", "\xf7\xbf\xbf", "\xfb\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf"}
	group(none, cut...)
	group(none, strings.Join(cut, ""))
	group(none, "\xfe", "\xff", "\xfe\xfe\xff\xff")
	group(none, "\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xf8\x80\x80\x80\xaf", "\xfc\x80\x80\x80\x80\xaf")
	group(none, "\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xf8\x87\xbf\xbf\xbf", "\xfc\x83\xbf\xbf\xbf\xbf")
	group(none, "\xc0\x80", "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xf8\x80\x80\x80\x80", "\xfc\x80\x80\x80\x80\x80")
	group(none, "\xed\xa0\x80", "\xed\xad\xbf", "\xed\xae\x80", "\xed\xaf\xbf", "\xed\xb0\x80", "\xed\xbe\x80", "\xed\xbf\xbf")
	var pairs []string
	for _, high := range []string{"\xed\xa0\x80", "\xed\xad\xbf", "\xed\xae\x80", "\xed\xaf\xbf"} {
		pairs = append(pairs, high+"\xed\xb0\x80", high+"\xed\xbf\xbf")
	}
	group(none, pairs...)
	var noncharacters []string
	for plane := range rune(17) {
		noncharacters = append(noncharacters, string(plane<<16|0xfffe), string(plane<<16|0xffff))
	}
	group(all, noncharacters...)
	var specials []string
	for r := rune(0xfff9); r <= 0xffff; r++ {
		specials = append(specials, string(r))
	}
	group(all, specials...)
}
