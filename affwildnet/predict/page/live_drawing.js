// The box and landmarks on the picture, the plane with its trail, and both curves.

import { line, scaled, sized, valueAxis } from "./canvas.js";
import { colour } from "./elements.js";

const TRAIL = 2; // seconds that the point in the plane leaves a trail
const SECONDS = 10; // that the curves show
const MARGIN = 24;

export function drawFace(canvas, face, size) {
  const { context, width, height } = sized(canvas);
  context.clearRect(0, 0, width, height);
  if (!face) return;
  const scale = Math.min(width / size.width, height / size.height);
  const left = (width - scale * size.width) / 2, top = (height - scale * size.height) / 2;
  const [x0, y0, x1, y1] = face.box.map(side => side * scale);
  context.strokeStyle = "#56b4e9";
  context.lineWidth = 2;
  context.strokeRect(left + x0, top + y0, x1 - x0, y1 - y0);
  context.fillStyle = "#ffffff";
  for (const [x, y] of face.landmarks) {
    context.beginPath();
    context.arc(left + (x + 0.5) * scale, top + (y + 0.5) * scale, 1.5, 0, 2 * Math.PI);
    context.fill();
  }
}

export function drawPlane(canvas, points) {
  const { context, width, height } = sized(canvas);
  const x = value => MARGIN + (value + 1) / 2 * (width - 2 * MARGIN), y = scaled(height, MARGIN);
  context.clearRect(0, 0, width, height);
  context.strokeStyle = colour("line");
  context.fillStyle = colour("soft");
  context.font = "12px system-ui";
  context.strokeRect(x(-1), y(1), x(1) - x(-1), y(-1) - y(1));
  line(context, x(0), y(-1), x(0), y(1));
  line(context, x(-1), y(0), x(1), y(0));
  context.fillText("arousal", x(0) + 5, y(1) + 13);
  context.textAlign = "right";
  context.fillText("valence", x(1) - 4, y(0) - 5);
  context.textAlign = "center";
  for (const [value, text] of [[-1, "−1"], [0, "0"], [1, "+1"]]) {
    context.fillText(text, x(value), y(-1) + 15);
    context.fillText(text, x(-1) - 11, y(value) + 4);
  }
  context.textAlign = "left";
  const now = points.at(-1)?.seconds ?? 0, recent = points.filter(point => point.seconds > now - TRAIL);
  context.strokeStyle = context.fillStyle = colour("accent");
  context.lineWidth = 3;
  recent.forEach((point, i) => {
    const before = recent[i - 1];
    if (!before?.face || !point.face) return;
    context.globalAlpha = Math.max(0.05, 1 - (now - point.seconds) / TRAIL);
    line(context, x(limited(before.face.valence)), y(limited(before.face.arousal)), x(limited(point.face.valence)), y(limited(point.face.arousal)));
  });
  context.globalAlpha = 1;
  context.lineWidth = 1;
  const face = points.at(-1)?.face;
  if (!face) return;
  context.beginPath();
  context.arc(x(limited(face.valence)), y(limited(face.arousal)), 7, 0, 2 * Math.PI);
  context.fill();
}

export function drawCurves(canvas, points) {
  const { context, width, height } = sized(canvas);
  const now = points.at(-1)?.seconds ?? 0, x = seconds => width - 12 - (now - seconds) / SECONDS * (width - 40);
  const y = scaled(height - 14);
  context.clearRect(0, 0, width, height);
  valueAxis(context, y, width);
  for (let age = 0; age <= SECONDS; age += 2) {
    context.textAlign = age ? "center" : "right";
    context.fillText(age ? `−${age} s` : `${now.toFixed(1)} s`, age ? x(now - age) : width - 4, height - 3);
  }
  context.textAlign = "left";
  for (const [name, dash] of [["valence", []], ["arousal", [7, 4]]]) {
    context.strokeStyle = context.fillStyle = colour(name);
    context.lineWidth = 2;
    context.setLineDash(dash);
    context.beginPath();
    let before = null;
    for (const point of points) {
      if (point.seconds >= now - SECONDS && point.face) {
        const place = [x(point.seconds), y(limited(point.face[name]))];
        if (before) context.lineTo(...place);
        else context.moveTo(...place);
      }
      before = point.face;
    }
    context.stroke();
    context.setLineDash([]);
    context.lineWidth = 1;
    context.fillText(name, 40 + (name === "arousal" ? 60 : 0), 18);
  }
}

function limited(value) {
  return Math.max(-1, Math.min(1, value));
}
