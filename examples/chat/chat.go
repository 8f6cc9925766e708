package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	sioedge "github.com/sio-edge/sio-edge/clients/go"
)

// The rooms that everyone finds in the list; others exist once somebody is in them.
const lobby = "lobby"

// The bounds of what people send.
const (
	maxName  = 32
	maxText  = 2000
	maxImage = 900_000
)

// chat is the handlers. A socket's name and room are its attributes, kept by the edge.
type chat struct {
	edge *sioedge.Edge
	log  *slog.Logger
}

// person is somebody as others see them.
type person struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	State string `json:"state"` // "here", "away" or "gone"
}

// message is what people say. Its id is given by who says it: a message that is sent again after
// a lost connection is shown once.
type message struct {
	ID    string `json:"id"`
	Text  string `json:"text"`
	Image []byte `json:"image,omitempty"`
}

// said is a message on its way to its readers.
type said struct {
	message
	From    person    `json:"from"`
	At      time.Time `json:"at"`
	Private bool      `json:"private,omitempty"`
}

func (c *chat) register() {
	c.edge.OnConnect(func(_ context.Context, s *sioedge.Socket) error {
		name, room := strings.TrimSpace(s.Auth().String("name")), lobby
		if asked := s.Auth().String("room"); asked != "" {
			room = asked
		}
		if err := check(name, room); err != nil {
			return sioedge.Reject(err.Error(), nil)
		}
		return errors.Join(s.Set("name", name), s.Set("room", room), s.Join(room))
	})
	c.edge.OnOpen(func(ctx context.Context, s *sioedge.Socket) error { return c.tell(ctx, s, "here") })
	c.edge.OnSuspend(func(ctx context.Context, s *sioedge.Socket, _ sioedge.Reason) { c.show(c.tell(ctx, s, "away")) })
	c.edge.OnResume(func(ctx context.Context, s *sioedge.Socket) { c.show(c.tell(ctx, s, "here")) })
	c.edge.OnDisconnect(func(ctx context.Context, s *sioedge.Socket, _ sioedge.Reason) { c.show(c.tell(ctx, s, "gone")) })

	c.edge.On("people", c.people)
	c.edge.On("rooms", c.rooms)
	c.edge.On("enter", c.enter)
	c.edge.On("say", func(ctx context.Context, s *sioedge.Socket, m message) error {
		return c.say(ctx, s, s.To(s.Get("room")), m, false)
	})
	c.edge.On("whisper", func(ctx context.Context, s *sioedge.Socket, to string, m message) error {
		return c.say(ctx, s, c.edge.ToSockets(to), m, true)
	})
	c.edge.On("typing", func(ctx context.Context, s *sioedge.Socket) error {
		return s.To(s.Get("room")).Volatile().Emit(ctx, "typing", s.ID())
	})
}

// people returns who is in the socket's room, those whose connection is lost too.
func (c *chat) people(ctx context.Context, s *sioedge.Socket) ([]person, error) {
	sessions, err := c.edge.To(s.Get("room")).Fetch(ctx)
	if err != nil {
		return nil, err
	}
	people := make([]person, 0, len(sessions))
	for _, other := range sessions {
		state := "here"
		if other.Suspended {
			state = "away"
		}
		people = append(people, person{ID: other.ID, Name: other.Attributes["name"], State: state})
	}
	return people, nil
}

// rooms returns the rooms that somebody is in.
func (c *chat) rooms(ctx context.Context, _ *sioedge.Socket) ([]string, error) {
	rooms, err := c.edge.Rooms(ctx, "")
	if err != nil {
		return nil, err
	}
	names := []string{lobby}
	for _, room := range rooms {
		if room.Name != lobby {
			names = append(names, room.Name)
		}
	}
	return names, nil
}

// enter moves the socket to another room and returns who is there. The client may ask twice.
func (c *chat) enter(ctx context.Context, s *sioedge.Socket, room string) ([]person, error) {
	if check(s.Get("name"), room) != nil {
		return nil, nil // the page does not ask for such rooms
	}
	if old := s.Get("room"); old != room {
		if err := c.tell(ctx, s, "gone"); err != nil {
			return nil, err
		}
		if err := errors.Join(s.Leave(old), s.Join(room), s.Set("room", room)); err != nil {
			return nil, err
		}
		if err := c.tell(ctx, s, "here"); err != nil {
			return nil, err
		}
	}
	return c.people(ctx, s)
}

func (c *chat) say(ctx context.Context, s *sioedge.Socket, to sioedge.Target, m message, private bool) error {
	if len(m.Text) > maxText || len(m.Image) > maxImage || m.Text == "" && len(m.Image) == 0 {
		return nil // the page sends no such message
	}
	return to.Emit(ctx, "said", said{message: m, From: c.person(s, "here"), At: time.Now(), Private: private})
}

// tell tells the room how it is with the socket.
func (c *chat) tell(ctx context.Context, s *sioedge.Socket, state string) error {
	return s.To(s.Get("room")).Emit(ctx, "person", c.person(s, state))
}

func (c *chat) person(s *sioedge.Socket, state string) person {
	return person{ID: s.ID(), Name: s.Get("name"), State: state}
}

func (c *chat) show(err error) {
	if err != nil {
		c.log.Warn("nobody was told", "error", err)
	}
}

// check says what is wrong with a name or a room, in words for people.
func check(name, room string) error {
	for what, text := range map[string]string{"name": name, "room": room} {
		n := utf8.RuneCountInString(text)
		if n == 0 || n > maxName || slices.ContainsFunc([]rune(text), func(r rune) bool { return r < ' ' }) {
			return fmt.Errorf("a %s has 1 to %d characters", what, maxName)
		}
	}
	return nil
}
