"""A Gradio app: one page with a form."""

import gradio as gr


def greet(name: str) -> str:
    return f"Hello, {name}"


demo = gr.Interface(greet, inputs="text", outputs="text", title="Hello from Gradio")

if __name__ == "__main__":
    demo.launch()
