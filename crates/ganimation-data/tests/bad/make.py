#!/usr/bin/env python3
"""Makes the files of this folder, each named by its fault. Needs Pillow. `expected.tsv` says how each is refused."""
import io
import os
import pickle
import struct
import zlib

from PIL import Image

os.chdir(os.path.dirname(os.path.abspath(__file__)))
UNITS = "01 02 04 05 06 07 09 10 12 14 15 17 20 23 25 26 45".split()


def write(name, data):
    with open(name, "wb") as file:
        file.write(data if isinstance(data, bytes) else data.encode())


# Pickles. A sound one, in protocol 2, with one array under the id `a`.
HEAD = b"\x80\x02}X\x01\x00\x00\x00a"
DTYPE = b"cnumpy\ndtype\n(U\x02%sK\x00K\x01tR(K\x03U\x01%sNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"


def array(code=b"f8", order=b"<", shape=b"K\x01\x85", data=b"\0" * 8, version=b"K\x01"):
    made = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    return made + b"(" + version + shape + DTYPE % (code, order) + b"\x89U" + bytes([len(data)]) + data + b"tb"


SOUND = HEAD + array() + b"s."
write("pickle_empty.pkl", b"")
write("pickle_cut_in_array.pkl", SOUND[:-20])
write("pickle_cut_before_stop.pkl", SOUND[:-1])
write("pickle_calls_os_system.pkl", b"cos\nsystem\n(S'true'\ntR.")
write("pickle_calls_eval_by_stack_global.pkl", b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x01 1\x85R.")
write("pickle_calls_numpy_load.pkl", b"\x80\x02cnumpy\nload\nU\x01x\x85R.")
write("pickle_instance_of_class.pkl", b"(I1\nios\nsystem\n.")
write("pickle_new_object.pkl", b"\x80\x02}}\x81.")
write("pickle_persistent_id.pkl", b"Pid\n.")
write("pickle_extension_code.pkl", b"\x80\x02\x82\x01.")
write("pickle_outside_buffer.pkl", b"\x80\x05\x97.")
write("pickle_of_a_set.pkl", pickle.dumps({1, 2}, 4))
write("pickle_of_a_list.pkl", pickle.dumps([1, 2], 2))
write("pickle_protocol_9.pkl", b"\x80\x09}.")
write("pickle_number_as_id.pkl", pickle.dumps({7: [0.5]}, 2))
write("pickle_text_as_label.pkl", pickle.dumps({"a": "smile"}, 2))
write("pickle_none_in_label.pkl", pickle.dumps({"a": [0.5, None]}, 2))
write("pickle_nested_label.pkl", pickle.dumps({"a": [[0.5]]}, 2))
write("pickle_scalar_label.pkl", HEAD + b"cnumpy.core.multiarray\nscalar\n.")
write("pickle_two_dimensions.pkl", HEAD + array(shape=b"K\x01K\x01\x86") + b"s.")
write("pickle_too_few_bytes.pkl", HEAD + array(shape=b"K\x03\x85") + b"s.")
write("pickle_negative_length.pkl", HEAD + array(shape=b"J\xff\xff\xff\xff\x85") + b"s.")
write("pickle_huge_length.pkl", HEAD + array(shape=b"\x8a\x08" + b"\0" * 7 + b"\x40\x85") + b"s.")
write("pickle_integer_too_long.pkl", HEAD + b"\x8a\x09" + b"\1" * 9 + b"s.")
write("pickle_complex_numbers.pkl", HEAD + array(code=b"c8") + b"s.")
write("pickle_python_objects.pkl", HEAD + array(code=b"O8", order=b"|") + b"s.")
write("pickle_odd_byte_order.pkl", HEAD + array(order=b"!") + b"s.")
write("pickle_id_not_utf8.pkl", b"\x80\x02}U\x01\xff" + array() + b"s.")
write("pickle_unbalanced_mark.pkl", b"\x80\x02}u.")
write("pickle_key_without_value.pkl", b"\x80\x02}(U\x01au.")
write("pickle_nothing_on_stack.pkl", b"\x80\x02.")
write("pickle_empty_memo_slot.pkl", b"\x80\x02h\x05.")
write("pickle_deep_marks.pkl", b"(" * 300)
write("pickle_is_a_zip.pkl", b"PK\x03\x04")
write("pickle_is_a_table.pkl", "file,AU01\n")

# Tables of OpenFace.
HEADER = ", ".join(["face", "confidence"] + [f"AU{unit}_r" for unit in UNITS])
ROW = ", ".join(["0", "0.98"] + ["0.25"] * len(UNITS))
write("openface_empty.csv", "")
write("openface_no_confidence.csv", "face, AU01_r\n0, 1\n")
write("openface_without_aus.csv", "face, confidence, gaze_0_x\n0, 0.9, 0.1\n")
write("openface_presence_only.csv", HEADER.replace("_r", "_c") + "\n" + ROW + "\n")
write("openface_one_au_missing.csv", HEADER.replace("AU12_r", "AU13_r") + "\n" + ROW + "\n")
write("openface_nan_intensity.csv", HEADER + "\n" + ROW[:-4] + "-nan(ind)\n")
write("openface_infinite_confidence.csv", HEADER + "\n" + ROW.replace("0.98", "inf") + "\n")
write("openface_short_row.csv", HEADER + "\n" + ROW + "\n0, 0.98\n")
write("openface_semicolons.csv", HEADER.replace(",", ";") + "\n" + ROW.replace(",", ";") + "\n")
write("openface_latin1_name.csv", (HEADER + ", caf\xe9\n").encode("latin1"))
write("openface_utf16.csv", (HEADER + "\n").encode("utf-16"))
write("openface_bad_timestamp.csv", "timestamp, " + HEADER + "\nsoon, " + ROW + "\n")

# Tables of labels.
LABELS = "file," + ",".join(f"AU{unit}" for unit in UNITS) + "\n"
write("labels_no_file_column.csv", LABELS[5:] + ",".join(["0"] * 17) + "\n")
write("labels_word_for_number.csv", LABELS + "a.jpg" + ",0" * 16 + ",much\n")
write("labels_decimal_comma.csv", LABELS + "a.jpg" + ",0" * 16 + ',"1,5"\n')
write("labels_face_twice.csv", LABELS + ("a.jpg" + ",0" * 17 + "\n") * 2)
write("labels_one_value_too_many.csv", LABELS + "a.jpg" + ",0" * 18 + "\n")

# Tables of landmarks.
LANDMARKS = "file," + ",".join(f"{axis}_{i}" for axis in "xy" for i in range(68)) + "\n"
write("landmarks_face_twice.csv", LANDMARKS + "a" + ",1" * 136 + "\na.jpg" + ",2" * 136 + "\n")
write("landmarks_nan.csv", LANDMARKS + "a" + ",1" * 136 + "\nb" + ",1" * 135 + ",NaN\n")
write("landmarks_in_space.csv", LANDMARKS.replace("x", "X").replace("y", "Y") + "a" + ",1" * 136 + "\n")
write("landmarks_one_value_missing.csv", LANDMARKS + "a" + ",1" * 135 + "\n")

# Lists of ids.
write("ids_latin1.csv", "a.jpg\ncaf\xe9.jpg\n".encode("latin1"))
write("ids_utf16.csv", "a.jpg\n".encode("utf-16"))
write("ids_is_a_picture.csv", b"\xff\xd8\xff\xe0\0\x10JFIF")


# Pictures.
def encoded(format, size=(16, 12), **options):
    picture = Image.new("RGB", size)
    picture.putdata([(i * 37 % 256, i * 91 % 256, i * 53 % 256) for i in range(size[0] * size[1])])
    data = io.BytesIO()
    picture.save(data, format, **options)
    return data.getvalue()


def resized_png(width, height):
    data = bytearray(encoded("PNG"))
    data[16:24] = struct.pack(">II", width, height)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


def resized_jpeg(width, height):
    data = bytearray(encoded("JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


JPEG, PNG = encoded("JPEG", (64, 64)), encoded("PNG")
write("picture_empty.jpg", b"")
write("picture_is_text.jpg", "not a picture")
write("picture_is_a_heic.jpg", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
write("picture_jpeg_headers_only.jpg", JPEG[: JPEG.index(b"\xff\xda")])
write("picture_jpeg_cut_in_half.jpg", JPEG[: len(JPEG) // 2])
write("picture_jpeg_marker_in_data.jpg", JPEG[:-200] + b"\xff\xc4" + JPEG[-198:])
write("picture_jpeg_of_4000_megapixels.jpg", resized_jpeg(65_500, 65_500))
write("picture_jpeg_of_no_height.jpg", resized_jpeg(16, 0))
write("picture_png_cut_in_half.png", PNG[: len(PNG) // 2])
write("picture_png_damaged_data.png", PNG[:50] + bytes([PNG[50] ^ 1]) + PNG[51:])
write("picture_png_of_3600_megapixels.png", resized_png(60_000, 60_000))
write("picture_png_of_100_megapixels.png", resized_png(10_000, 10_000))
write("picture_png_of_no_width.png", resized_png(0, 12))
write("picture_webp_cut_in_half.webp", encoded("WEBP")[:60])
