// The value that the rater gives at this moment, from a stick, a pointer or keys.

const KEYS_PER_SECOND = 1; // how far a held key moves the value

export class Input {
  constructor(settings) {
    this.settings = settings;
    this.value = { valence: 0, arousal: 0 };
    this.held = new Set();
    this.polled = performance.now();
    this.down = event => this.#key(event, true);
    this.up = event => this.#key(event, false);
    window.addEventListener("keydown", this.down);
    window.addEventListener("keyup", this.up);
  }

  close() {
    window.removeEventListener("keydown", this.down);
    window.removeEventListener("keyup", this.up);
  }

  get both() {
    return this.settings.dimensions.length > 1;
  }

  // Called once a displayed frame, and whenever a sample is taken.
  poll() {
    const now = performance.now(), elapsed = Math.min(0.1, (now - this.polled) / 1000);
    this.polled = now;
    if (this.settings.input === "gamepad") {
      const pad = gamepad(this.settings.gamepad);
      if (pad) this.#set(this.#axis(pad, this.settings.axisX), -this.#axis(pad, this.settings.axisY));
    } else if (this.settings.input === "keys") {
      const move = (plus, minus) => (this.held.has(plus) - this.held.has(minus)) * KEYS_PER_SECOND * elapsed;
      this.nudge(move("ArrowRight", "ArrowLeft"), move("ArrowUp", "ArrowDown"));
    }
    return this.value;
  }

  // Both given from -1 to 1, right and up being positive. With one dimension, up and down count.
  point(x, y) {
    if (this.settings.input === "pointer") this.#set(x, y);
  }

  nudge(x, y) {
    if (this.both) this.#set(this.value.valence + x, this.value.arousal + y, false);
    else this.#set(0, this.value[this.settings.dimensions[0]] + y, false);
  }

  #set(x, y, mayInvert = true) {
    const sign = mayInvert && this.settings.inverted ? -1 : 1;
    const bounded = value => Math.max(-1, Math.min(1, value));
    if (this.both) this.value = { valence: bounded(x), arousal: bounded(sign * y) };
    else this.value = { ...this.value, [this.settings.dimensions[0]]: bounded(sign * y) };
  }

  // Within the dead zone nothing, and from its edge on the whole range.
  #axis(pad, index) {
    const raw = pad.axes[index] ?? 0, zone = Math.min(0.9, this.settings.deadZone);
    return Math.abs(raw) <= zone ? 0 : Math.sign(raw) * (Math.abs(raw) - zone) / (1 - zone);
  }

  #key(event, down) {
    if (!event.key.startsWith("Arrow") || event.target.matches("input, select")) return;
    if (this.settings.input === "keys") event.preventDefault();
    if (down) this.held.add(event.key);
    else this.held.delete(event.key);
  }
}

export function gamepads() {
  return [...(navigator.getGamepads?.() ?? [])].filter(pad => pad && pad.connected !== false);
}

export function gamepad(id) {
  const all = gamepads();
  return all.find(pad => pad.id === id) ?? all[0];
}
