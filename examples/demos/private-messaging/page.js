const byId = (id) => document.getElementById(id);
const [main, nav] = ["main", "nav"].map((name) => document.querySelector(name));
const socket = io({ autoConnect: false });
const users = new Map(); // by userID
let self, chosen;

const known = sessionStorage.getItem("sessionID"); // of this tab: another tab may be somebody else
if (known) come({ sessionID: known });
else byId("enter").hidden = false;

function come(auth) {
  socket.auth = auth;
  socket.connect();
}

byId("enter").addEventListener("submit", (event) => {
  event.preventDefault();
  const username = byId("name").value.trim();
  if (username) come({ username });
});

socket.on("session", ({ sessionID, userID }) => {
  sessionStorage.setItem("sessionID", sessionID);
  socket.auth = { sessionID };
  self = userID;
  byId("enter").hidden = true;
  main.hidden = false;
});
socket.on("connect", () => (byId("status").textContent = "connected"));
socket.on("disconnect", (reason) => (byId("status").textContent = reason));
socket.on("connect_error", ({ message }) => {
  byId("status").textContent = message;
  if (socket.active) return;
  sessionStorage.removeItem("sessionID");
  byId("enter").hidden = false;
});

socket.on("users", (list) => {
  users.clear();
  for (const user of list) users.set(user.userID, { ...user, unread: 0 });
  show();
});
socket.on("user connected", (user) => {
  users.set(user.userID, { ...user, unread: 0, ...users.get(user.userID), connected: true });
  show();
});
socket.on("user disconnected", (userID) => {
  if (users.has(userID)) users.get(userID).connected = false;
  show();
});
socket.on("private message", (message) => {
  const other = users.get(message.from === self ? message.to : message.from);
  if (!other) return;
  other.messages.push(message);
  if (other.userID !== chosen) other.unread++;
  show();
});

byId("say").addEventListener("submit", (event) => {
  event.preventDefault();
  const content = byId("text").value.trim();
  byId("text").value = "";
  if (!content) return;
  socket.emit("private message", { content, to: chosen });
  users.get(chosen).messages.push({ content, from: self, to: chosen });
  show();
});

function show() {
  nav.replaceChildren(...[...users.values()].filter(({ userID }) => userID !== self).map((user) => {
    const label = `${user.connected ? "●" : "○"} ${user.username}${user.unread ? ` (${user.unread})` : ""}`;
    const button = Object.assign(document.createElement("button"), { textContent: label, ariaCurrent: String(user.userID === chosen) });
    button.addEventListener("click", () => {
      chosen = user.userID;
      user.unread = 0;
      show();
      byId("text").focus();
    });
    return button;
  }));
  byId("say").hidden = !chosen;
  byId("log").replaceChildren(...(users.get(chosen)?.messages ?? []).map(({ content, from }) => {
    const li = document.createElement("li");
    li.append(Object.assign(document.createElement("b"), { textContent: from === self ? "you" : users.get(from)?.username }), content);
    return li;
  }));
  byId("log").lastChild?.scrollIntoView();
}
