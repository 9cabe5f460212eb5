// The original and the edited photo, on two canvases.

/** How much wider than the face's box the closer view is. */
const SURROUNDINGS = 1.7;

export class Stage {
  attention = false;
  closer = true;
  face = null;
  #photo = null;
  #edited = null;

  constructor(pictures, before, after) {
    this.pictures = pictures;
    this.before = before;
    this.after = after;
  }

  show(photo) {
    this.#photo = photo;
    this.#edited = null;
    this.draw();
  }

  /** Takes the edited part; `null` for the photo as it came. */
  edit(edited) {
    this.#edited = edited && { ...edited, tints: edited.masks.map(tint) };
    this.draw();
  }

  draw() {
    if (!this.#photo) return;
    const { picture } = this.#photo;
    const view = this.closer ? this.#around() : { x: 0, y: 0, width: picture.width, height: picture.height };
    this.pictures.style.setProperty("--ratio", view.width / view.height);
    const before = sized(this.before, view);
    before.drawImage(picture, 0, 0);
    if (this.#photo.faces.length > 1 && !this.closer) this.#mark(before);
    const after = sized(this.after, view);
    after.drawImage(picture, 0, 0);
    if (!this.#edited) return;
    const { patch, x, y, faces, tints } = this.#edited;
    after.drawImage(patch, x, y);
    if (this.attention) {
      faces.forEach((face, at) => after.drawImage(tints[at], face.x, face.y, face.size, face.size));
    }
  }

  get #chosen() {
    const { faces } = this.#photo;
    return this.face ? [faces[this.face - 1]] : faces;
  }

  /** A square around the chosen face, inside the photo. */
  #around() {
    const { picture } = this.#photo;
    const [face] = this.#chosen;
    const side = Math.round(Math.min(face.size * SURROUNDINGS, picture.width, picture.height));
    const within = (centre, length) => Math.round(Math.min(Math.max(centre - side / 2, 0), length - side));
    return {
      x: within(face.x + face.size / 2, picture.width),
      y: within(face.y + face.size / 2, picture.height),
      width: side,
      height: side,
    };
  }

  #mark(context) {
    context.strokeStyle = "#fff";
    context.lineWidth = Math.max(1.5, context.canvas.width / 400);
    context.shadowColor = "#000";
    context.shadowBlur = 4;
    for (const { x, y, size } of this.#chosen) context.strokeRect(x, y, size, size);
    context.shadowBlur = 0;
  }
}

function sized(canvas, view) {
  canvas.width = view.width;
  canvas.height = view.height;
  const context = canvas.getContext("2d");
  context.translate(-view.x, -view.y);
  return context;
}

/** Red where the mask is black: where the photo is repainted. */
function tint(mask) {
  const canvas = new OffscreenCanvas(mask.width, mask.height);
  const context = canvas.getContext("2d");
  context.drawImage(mask, 0, 0);
  const pixels = context.getImageData(0, 0, mask.width, mask.height);
  for (let at = 0; at < pixels.data.length; at += 4) {
    const repainted = 255 - pixels.data[at];
    pixels.data.set([222, 60, 36, repainted * 0.85], at);
  }
  context.putImageData(pixels, 0, 0);
  return canvas;
}
