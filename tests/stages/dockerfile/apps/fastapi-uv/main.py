from fastapi import FastAPI

app = FastAPI()


@app.get("/")
def hello() -> dict[str, str]:
    return {"hello": "from fastapi"}


@app.get("/healthz")
def health() -> dict[str, bool]:
    return {"ok": True}
