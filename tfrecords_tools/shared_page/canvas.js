// Drawing on canvases: lines, sizes, and the scale of values from -1 to 1.

import { colour } from "./elements.js";

export function line(context, x1, y1, x2, y2) {
  context.beginPath();
  context.moveTo(x1, y1);
  context.lineTo(x2, y2);
  context.stroke();
}

// A canvas has as many pixels as the screen shows of it.
export function sized(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth, height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { context, width, height };
}

// The height on the canvas of a value from -1 to 1.
export function scaled(height, margin = 6) {
  return value => margin + (1 - value) / 2 * (height - 2 * margin);
}

// Lines at -1, 0 and 1 with their numbers; the colours and the font stay for the marks of time.
export function valueAxis(context, y, width) {
  context.strokeStyle = colour("line");
  context.fillStyle = colour("soft");
  context.font = "11px system-ui";
  for (const tick of [-1, 0, 1]) {
    line(context, 0, y(tick), width, y(tick));
    context.fillText(tick > 0 ? "+1" : tick < 0 ? "−1" : "0", 4, y(tick) + (tick > 0 ? 12 : -3));
  }
}
