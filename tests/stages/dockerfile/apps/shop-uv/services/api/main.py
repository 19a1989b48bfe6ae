import flask
import prices

app = flask.Flask(__name__)


@app.get("/")
def hello() -> str:
    return f"a member of a workspace of uv, {prices.shown(300)}"
