# The studio as a container, and as a Space of Hugging Face: docs/studio.md, "To show others".
# Another network than the bundled one: copy it into the image (COPY ffhq.pkl /home/user/), and set NETWORK.
FROM python:3.12-slim

RUN useradd --create-home --uid 1000 user
RUN pip install --no-cache-dir torch --index-url https://download.pytorch.org/whl/cpu
COPY . /source
RUN pip install --no-cache-dir "/source[studio]" && rm -r /source

USER user
WORKDIR /home/user
ENV NETWORK=demo PORT=7860 PYTHONUNBUFFERED=1
EXPOSE 7860

# A Space's page is called by SPACE_HOST, which it sets, and is shown inside of another page.
CMD ["sh", "-c", "exec sefa studio --network \"$NETWORK\" --no-browser --host 0.0.0.0 --port \"$PORT\" --share-safe --public --allow-host \"${SPACE_HOST:-localhost}\" --allow-frame https://huggingface.co"]
