// The needle: a vertical scale for one dimension, the plane for both. A pointer on it gives the value.

import { line, sized } from "./canvas.js";
import { colour, signed } from "./elements.js";

export class Pad {
  constructor(canvas, output, input) {
    this.canvas = canvas;
    this.output = output;
    this.input = input;
    this.given = null; // shown in place of the input's value
    const move = event => {
      if (event.pointerType === "touch" && !event.buttons && event.type === "pointermove") return;
      const box = canvas.getBoundingClientRect(), edge = MARGIN;
      const across = (event.clientX - box.left - edge) / Math.max(1, box.width - 2 * edge);
      const down = (event.clientY - box.top - edge) / Math.max(1, box.height - 2 * edge);
      input?.point(2 * across - 1, 1 - 2 * down);
    };
    canvas.addEventListener("pointermove", move);
    canvas.addEventListener("pointerdown", event => {
      canvas.setPointerCapture(event.pointerId);
      move(event);
    });
  }

  draw() {
    const { context, width, height } = sized(this.canvas);
    const dimensions = this.input.settings.dimensions, value = this.given ?? this.input.value;
    context.clearRect(0, 0, width, height);
    context.strokeStyle = colour("line");
    context.fillStyle = colour("soft");
    context.font = "12px system-ui";
    context.lineWidth = 1;
    const x = v => MARGIN + (v + 1) / 2 * (width - 2 * MARGIN), y = v => MARGIN + (1 - v) / 2 * (height - 2 * MARGIN);
    if (dimensions.length > 1) this.#plane(context, x, y, value);
    else this.#scale(context, x, y, value[dimensions[0]], dimensions[0]);
    this.output.textContent = dimensions.map(name => `${name} ${signed(value[name])}`).join("   ");
  }

  #scale(context, x, y, value, name) {
    for (const tick of [-1, -0.5, 0, 0.5, 1]) {
      line(context, x(-0.4), y(tick), x(0.4), y(tick));
      context.fillText(tick > 0 ? `+${tick}` : tick < 0 ? `−${-tick}` : "0", x(0.5), y(tick) + 4);
    }
    line(context, x(0), y(-1), x(0), y(1));
    context.fillStyle = colour(name);
    context.beginPath();
    context.moveTo(x(-0.75), y(value) - 9);
    context.lineTo(x(-0.1), y(value));
    context.lineTo(x(-0.75), y(value) + 9);
    context.fill();
    context.fillRect(x(-0.1), y(value) - 2, x(0.4) - x(-0.1), 4);
  }

  #plane(context, x, y, value) {
    context.strokeRect(x(-1), y(1), x(1) - x(-1), y(-1) - y(1));
    line(context, x(0), y(-1), x(0), y(1));
    line(context, x(-1), y(0), x(1), y(0));
    context.textAlign = "right";
    context.fillText("valence", x(1) - 4, y(0) - 5);
    context.textAlign = "left";
    context.fillText("arousal", x(0) + 5, y(1) + 12);
    context.fillStyle = colour("accent");
    context.beginPath();
    context.arc(x(value.valence), y(value.arousal), 9, 0, 2 * Math.PI);
    context.fill();
  }
}

const MARGIN = 16;
