"use strict";

const $ = (id) => document.getElementById(id);
const names = ["Ada", "Edsger", "Grace", "Ken", "Barbara", "Niklaus", "Radia", "Dennis"];
const me = {
  name: sessionStorage.getItem("name") ?? "",
  room: sessionStorage.getItem("room") ?? "lobby",
};

// With retries, what is sent is sent again until the backend has taken it; messages carry an id,
// so that one that arrives twice is shown once.
const socket = io({
  autoConnect: false,
  auth: (send) => send({ name: me.name, room: me.room }),
  retries: Infinity,
  ackTimeout: 5000,
});

// --- who are you?

function welcome(refused = "") {
  $("refused").textContent = refused;
  $("name").value = me.name || names[Math.floor(Math.random() * names.length)];
  $("welcome").showModal();
  $("name").select();
}

$("welcome").addEventListener("cancel", (event) => event.preventDefault());
$("welcome").addEventListener("submit", (event) => {
  me.name = $("name").value.trim();
  if (!me.name) {
    event.preventDefault(); // blanks only
    return;
  }
  sessionStorage.setItem("name", me.name);
  socket.connect();
  $("text").focus();
});

// --- the connection

let lost = false; // since when we were connected last

function status(text, on) {
  $("status").textContent = text;
  $("status").classList.toggle("on", on);
}

socket.on("connect", async () => {
  status(`here as ${me.name}`, true);
  if (socket.recovered) {
    note("back, nothing missed");
  } else {
    if (lost) note("back; what was said meanwhile is not here");
    people.clear();
    list(await socket.emitWithAck("people"));
  }
  lost = false;
});

socket.on("disconnect", (reason) => {
  lost = true;
  status("away, coming back…", false);
  if (reason === "io server disconnect") socket.connect();
});

socket.on("connect_error", (err) => {
  if (socket.active) return status("away, coming back…", false);
  welcome(err.message); // refused for good
});

// A closed tab is gone, not away.
addEventListener("pagehide", (event) => event.persisted || socket.disconnect());
addEventListener("pageshow", (event) => event.persisted && me.name && socket.connect());

// --- rooms and people

const people = new Map();
let target = null; // who alone gets the next message

function list(found) {
  for (const person of found ?? []) people.set(person.id, person);
  draw();
}

function draw() {
  $("room").value = me.room;
  const sorted = [...people.values()].sort((a, b) => a.name.localeCompare(b.name));
  $("count").textContent = sorted.length;
  $("people").replaceChildren(...sorted.map((person) => {
    const button = element("button", person.name + (person.id === socket.id ? " (you)" : ""));
    button.disabled = person.id === socket.id;
    button.title = person.state === "away" ? "away; gets messages when back" : "";
    button.onclick = () => aim(person);
    const item = element("li", button);
    item.className = person.state;
    return item;
  }));
}

function aim(person) {
  target = person;
  $("target").hidden = !person;
  $("target").firstElementChild.textContent = person ? `only to ${person.name}` : "";
  $("text").focus();
}
$("target").lastElementChild.onclick = () => aim(null);

socket.on("person", (person) => {
  const known = people.get(person.id);
  if (person.state === "gone") {
    people.delete(person.id);
    if (known) note(`${person.name} left`);
    if (target?.id === person.id) aim(null);
  } else {
    people.set(person.id, person);
    if (!known) note(`${person.name} came in`);
  }
  draw();
});

$("enter").addEventListener("submit", async (event) => {
  event.preventDefault();
  const room = $("room").value.trim();
  if (!room || room === me.room) return;
  me.room = room;
  sessionStorage.setItem("room", room);
  people.clear();
  aim(null);
  const found = await socket.emitWithAck("enter", room);
  note(`you are in ${room}`);
  list(found);
});

$("room").addEventListener("focus", async () => {
  if (!socket.connected) return;
  const rooms = await socket.emitWithAck("rooms");
  $("rooms").replaceChildren(...rooms.map((room) => Object.assign(document.createElement("option"), { value: room })));
});

// --- messages

const shown = new Set();

function show(message, mine = false) {
  if (shown.has(message.id)) return null;
  shown.add(message.id);
  const who = mine && message.to ? `to ${message.to}` : message.from.name;
  const item = element("li", element("b", who),
    element("small", new Date(message.at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }) + (message.private ? " · only you two" : "")));
  if (message.text) item.append(element("div", message.text));
  if (message.image) {
    const image = new Image();
    image.src = URL.createObjectURL(new Blob([message.image], { type: "image/jpeg" }));
    image.alt = `a picture from ${message.from.name}`;
    image.onload = () => { URL.revokeObjectURL(image.src); item.scrollIntoView({ block: "nearest" }); };
    item.append(image);
  }
  item.className = "message" + (mine ? " mine" : "") + (message.private ? " whisper" : "");
  return append(item);
}

function note(text) {
  const item = element("li", text);
  item.className = "note";
  append(item);
}

function append(item) {
  const log = $("log");
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  log.append(item);
  while (log.children.length > 500) log.firstElementChild.remove();
  if (atEnd || item.classList.contains("mine")) log.scrollTop = log.scrollHeight;
  return item;
}

function element(name, ...content) {
  const e = document.createElement(name);
  e.append(...content);
  return e;
}

socket.on("said", (message) => {
  typing.delete(message.from.id);
  drawTyping();
  show(message);
});

$("say").addEventListener("submit", async (event) => {
  event.preventDefault();
  const message = { id: crypto.randomUUID?.() ?? String(Math.random()), text: $("text").value.trim() };
  if (picture) message.image = picture;
  if (!message.text && !message.image) return;
  $("text").value = "";
  setPicture(null);
  const item = show({ ...message, from: me, at: Date.now(), private: !!target, to: target?.name }, true);
  item.classList.add("pending");
  await (target ? socket.emitWithAck("whisper", target.id, message) : socket.emitWithAck("say", message));
  item.classList.remove("pending");
});

// --- pictures: small enough for one message

let picture = null;

function setPicture(bytes) {
  picture = bytes;
  $("file").value = "";
  const preview = $("picture").firstElementChild;
  if (preview.src) URL.revokeObjectURL(preview.src);
  preview.removeAttribute("src");
  if (bytes) preview.src = URL.createObjectURL(new Blob([bytes], { type: "image/jpeg" }));
  $("picture").hidden = !bytes;
}
$("picture").lastElementChild.onclick = () => setPicture(null);

$("file").addEventListener("change", async () => {
  const file = $("file").files[0];
  if (!file) return;
  try {
    const bitmap = await createImageBitmap(file);
    const scale = Math.min(1, 1280 / Math.max(bitmap.width, bitmap.height));
    const canvas = Object.assign(document.createElement("canvas"),
      { width: Math.max(1, bitmap.width * scale), height: Math.max(1, bitmap.height * scale) });
    canvas.getContext("2d").drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.8));
    setPicture(await blob.arrayBuffer());
    $("text").focus();
  } catch {
    note("that is no picture that this browser can read");
    setPicture(null);
  }
});

// --- who is typing

const typing = new Map(); // id to the timer that ends it
let said = 0;

$("text").addEventListener("input", () => {
  if (target || Date.now() - said < 1500) return;
  said = Date.now();
  socket.volatile.emit("typing");
});

socket.on("typing", (id) => {
  clearTimeout(typing.get(id));
  typing.set(id, setTimeout(() => { typing.delete(id); drawTyping(); }, 3000));
  drawTyping();
});

function drawTyping() {
  const who = [...typing.keys()].map((id) => people.get(id)?.name).filter(Boolean);
  $("typing").textContent = who.length ? `${who.join(", ")} ${who.length > 1 ? "are" : "is"} typing…` : "";
}

// ---

if (me.name) socket.connect();
else welcome();
