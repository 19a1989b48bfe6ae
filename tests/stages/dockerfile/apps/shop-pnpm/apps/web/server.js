require("http").createServer((_, r) => r.end(require("picocolors").bold("web"))).listen(4000);
