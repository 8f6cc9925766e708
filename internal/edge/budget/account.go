package budget

// Account charges what one owner holds in steps, so that most changes touch nothing shared. Its
// owner guards it. The zero value charges nothing.
type Account struct {
	budget  *Budget
	kind    Kind
	used    int
	charged int // at least used less slack
}

// Account returns an empty account of a kind.
func (b *Budget) Account(k Kind) Account { return Account{budget: b, kind: k} }

// slack is what an Account may hold uncharged: it comes and goes all the time.
const slack = 4 << 10

// Add changes what is held by n bytes, which may be negative.
func (a *Account) Add(n int) {
	if a.budget == nil {
		return
	}
	a.used += n
	want := max(a.used-slack, 0)
	if a.charged >= want && (want > 0 || a.charged == 0) && a.charged-want <= 3*step(want) {
		return
	}
	if want > 0 {
		want += step(want)
	}
	a.budget.Add(a.kind, want-a.charged)
	a.charged = want
}

// Close ends the account: its owner has let go of everything.
func (a *Account) Close() {
	a.budget.Free(a.kind, a.charged)
	*a = Account{}
}

// step is how much more is charged at once: an eighth of what is held, between 4 and 64 KiB.
func step(held int) int { return min(max(held/8, 4<<10), 64<<10) }
