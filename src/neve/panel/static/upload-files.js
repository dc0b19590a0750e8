// The files that somebody chose or dropped, with their paths: [{ path, file }].

const TYPES = {
  csv: "text/csv", geojson: "application/geo+json", grb: "application/x-grib",
  grb2: "application/x-grib", grib: "application/x-grib", grib2: "application/x-grib",
  h5: "application/x-hdf5", hdf5: "application/x-hdf5", json: "application/json",
  jsonl: "application/jsonl", md: "text/markdown", nc: "application/x-netcdf",
  nc4: "application/x-netcdf", npy: "application/octet-stream", parquet: "application/vnd.apache.parquet",
  py: "text/x-python", tif: "image/tiff", tiff: "image/tiff", toml: "application/toml",
  txt: "text/plain", yaml: "application/yaml", yml: "application/yaml",
  zarray: "application/json", zattrs: "application/json", zgroup: "application/json",
  zmetadata: "application/json",
};

// What the file is, by the browser's word, else by its name.
export function typeOf(file) {
  if (file.type) return file.type;
  const ending = file.name.slice(file.name.lastIndexOf(".") + 1).toLowerCase();
  return Object.hasOwn(TYPES, ending) ? TYPES[ending] : "application/octet-stream";
}

export function chosen(input) {
  return [...input.files].map((file) => ({ path: file.webkitRelativePath || file.name, file }));
}

// Must be called while the event is handled: the browser forgets its items afterwards.
export function dropped(transfer) {
  const entries = [...transfer.items]
    .filter((item) => item.kind === "file")
    .map((item) => item.webkitGetAsEntry());
  return walk(entries.filter((entry) => entry));
}

async function walk(entries) {
  const found = [];
  const left = [...entries].reverse();
  while (left.length) {
    const entry = left.pop();
    if (entry.isFile) {
      const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
      found.push({ path: entry.fullPath.replace(/^\//, ""), file });
    } else {
      for (const child of (await children(entry)).reverse()) left.push(child);
    }
  }
  return found;
}

// A folder is read a hundred entries at a time, until there are none.
async function children(folder) {
  const reader = folder.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found;
    found.push(...some);
  }
}
