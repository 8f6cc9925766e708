const canvas = document.querySelector("canvas");
const pens = document.querySelector(".pens");
const status = document.getElementById("status");
const context = canvas.getContext("2d");
const socket = io();
const strokes = []; // to draw again when the window changes its size
let colour, last;

socket.on("connect", () => (status.textContent = "connected"));
socket.on("disconnect", (reason) => (status.textContent = reason));
socket.on("drawing", (stroke) => (strokes.push(stroke), draw(stroke)));

for (const name of ["black", "red", "green", "blue", "orange"]) {
  const pen = Object.assign(document.createElement("button"), { title: name });
  pen.style.background = name;
  pen.addEventListener("click", () => choose(name));
  pens.append(pen);
}
function choose(name) {
  colour = name;
  for (const pen of pens.children) pen.ariaPressed = String(pen.title === name);
}
choose("black");

// Coordinates are parts of the canvas, so that windows of different sizes show the same.
function draw({ x0, y0, x1, y1, color }) {
  const { width, height } = canvas;
  context.beginPath();
  context.moveTo(x0 * width, y0 * height);
  context.lineTo(x1 * width, y1 * height);
  context.strokeStyle = color;
  context.lineWidth = 2;
  context.lineCap = "round";
  context.stroke();
}

const at = (event) => [event.offsetX / canvas.clientWidth, event.offsetY / canvas.clientHeight];

canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  last = at(event);
});
canvas.addEventListener("pointermove", (event) => {
  if (!last) return;
  const [x0, y0] = last;
  const [x1, y1] = at(event);
  if (Math.hypot(x1 - x0, y1 - y0) < 0.003) return; // not every pixel is worth a message
  const stroke = { x0, y0, x1, y1, color: colour };
  strokes.push(stroke);
  draw(stroke);
  socket.emit("drawing", stroke);
  last = [x1, y1];
});
for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (last = undefined));

new ResizeObserver(() => {
  canvas.width = canvas.clientWidth;
  canvas.height = canvas.clientHeight;
  strokes.forEach(draw);
}).observe(canvas);
