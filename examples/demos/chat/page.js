const byId = (id) => document.getElementById(id);
const socket = io();
const typing = new Set();
let name, quiet;

function line(text, from) {
  const li = document.createElement("li");
  if (from) li.append(Object.assign(document.createElement("b"), { textContent: from }));
  else li.className = "soft";
  li.append(text);
  byId("log").append(li);
  li.scrollIntoView();
}

function showTyping() {
  byId("typing").textContent = typing.size > 0 ? `${[...typing].join(", ")} …` : "";
}

const people = (n) => (n === 1 ? "you are alone" : `${n} people are here`);

socket.on("connect", () => {
  byId("status").textContent = "connected";
  if (name && !socket.recovered) socket.emit("add user", name);
});
socket.on("disconnect", (reason) => (byId("status").textContent = reason));
socket.on("login", ({ numUsers }) => line(`welcome: ${people(numUsers)}`));
socket.on("user joined", ({ username, numUsers }) => line(`${username} came: ${people(numUsers)}`));
socket.on("user left", ({ username, numUsers }) => {
  typing.delete(username);
  showTyping();
  line(`${username} left: ${people(numUsers)}`);
});
socket.on("new message", ({ username, message }) => line(message, username));
socket.on("typing", ({ username }) => (typing.add(username), showTyping()));
socket.on("stop typing", ({ username }) => (typing.delete(username), showTyping()));

byId("enter").addEventListener("submit", (event) => {
  event.preventDefault();
  name = byId("name").value.trim();
  if (!name) return;
  socket.emit("add user", name);
  byId("enter").hidden = true;
  byId("log").hidden = byId("say").hidden = false;
  byId("text").focus();
});

function stop() {
  clearTimeout(quiet);
  quiet = undefined;
  socket.emit("stop typing");
}

byId("text").addEventListener("input", () => {
  if (quiet === undefined) socket.emit("typing");
  clearTimeout(quiet);
  quiet = setTimeout(stop, 1000);
});

byId("say").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = byId("text").value.trim();
  byId("text").value = "";
  if (!text) return;
  socket.emit("new message", text);
  line(text, name);
  stop();
});
