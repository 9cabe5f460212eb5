#!/usr/bin/env bash
# Makes the JPEGs of this folder with libjpeg-turbo 2.1.5 (cjpeg, djpeg, jpegtran) and Pillow 13, and beside each kind of
# sampling what libjpeg decodes: NAME-KIND.jpg belongs to NAME.png. `jpeg.rs` compares. Run it in this folder.
set -euo pipefail
work=$(mktemp -d)
djpeg ../../../../assets/grace_hopper.jpg > "$work/photo.ppm"
python3 - "$work" <<'P'
import sys
from PIL import Image
work = sys.argv[1]
photo = Image.open(f"{work}/photo.ppm").crop((150, 60, 350, 245)).resize((40, 37), Image.LANCZOS)
photo.save(f"{work}/small.ppm")
photo.convert("CMYK").save(f"{work}/cmyk.jpg", quality=90)
P
printf '0;\n1;\n2;\n' > "$work/each"
printf '0;\n1 2;\n' > "$work/two"
printf '0;\n1;\n2;\n3;\n' > "$work/four"
make() { cjpeg -quality 90 "${@:2}" -outfile "$1.jpg" "$work/small.ppm"; }
for sampling in 1x1 2x1 1x2 2x2 4x1; do
    make "$sampling-baseline" -sample $sampling
    make "$sampling-restarts" -sample $sampling -restart 1B
    make "$sampling-each" -sample $sampling -scans "$work/each"
    make "$sampling-two" -sample $sampling -scans "$work/two"
    make "$sampling-each-restarts" -sample $sampling -scans "$work/each" -restart 2B
    make "$sampling-progressive" -sample $sampling -progressive
    make "$sampling-progressive-restarts" -sample $sampling -progressive -restart 3B
done
make 4x2-baseline -sample 4x2
make 1x1,2x2,2x2-baseline -sample 1x1,2x2,2x2
make 1x1,2x1,1x1-baseline -sample 1x1,2x1,1x1
make 3x1-baseline -sample 3x1
make grey-baseline -grayscale
make grey-progressive -grayscale -progressive
make rgb-baseline -rgb
make rgb-each -rgb -scans "$work/each"
make refused-arithmetic -arithmetic
make refused-arithmetic-progressive -arithmetic -progressive
cp "$work/cmyk.jpg" cmyk-baseline.jpg
jpegtran -scans "$work/four" -outfile cmyk-each.jpg cmyk-baseline.jpg
python3 - <<'P'
import glob, io, subprocess
from PIL import Image
for file in sorted(glob.glob("*-*.jpg")):
    name = file.split("-")[0]
    if name == "refused":
        continue
    if name == "cmyk":
        picture = Image.open(file).convert("RGB")
    else:
        picture = Image.open(io.BytesIO(subprocess.check_output(["djpeg", "-ppm", file]))).convert("RGB")
    picture.save(f"{name}.png", optimize=True)
P
rm -r "$work"
